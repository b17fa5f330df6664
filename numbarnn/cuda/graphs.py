"""Launches that come again, recorded as graphs of CUDA."""

from collections import OrderedDict

#: Graphs that are kept, and calls that are known to have come once.
MOST = 32


class Graphs:
    """The graphs of one cell: what was queued with the same addresses before is one launch.

    Libraries hand out the memory of one call again in the next, so that calls of one shape find theirs.
    """

    def __init__(self):
        self._graphs = OrderedDict()

    def launch(self, core, stream, place, launches, steps):
        """Queue launches for every step: as they are the first time, recorded the second.

        Parameters
        ----------
        core : module
            ``cuda.core``.
        stream : cuda.core.Stream
        place : Device
        launches : list of Launch
        steps : range
        """
        key = place.number, steps, tuple(launch.told for launch in launches)
        graph = self._graphs.pop(key, None)
        if graph is None:
            self._keep(key, False)
            for it in steps:
                for launch in launches:
                    launch(it)
            return
        if graph is False:
            builder = core.Device(place.number).create_graph_builder().begin_building()
            for it in steps:
                for launch in launches:
                    launch(it, onto=builder)
            graph = builder.end_building().complete()
        self._keep(key, graph)
        graph.launch(stream)

    def _keep(self, key, graph):
        self._graphs[key] = graph
        while len(self._graphs) > MOST:
            self._graphs.popitem(last=False)
