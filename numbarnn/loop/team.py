"""One block on several threads: groups of units, or strips of positions, shared out step by step.

For a single large sequence, whose steps must follow one another. The thread that runs the loop publishes
a job (a stage at one step, or a map over a chunk of time) and works on it itself; helpers take pieces
of it, each piece once. A helper that is late, or has lost its core, takes none: the loop waits only for
pieces that somebody has begun. Where it had to wait long for one, a helper has lost its core: it does
the next jobs alone, twice as many after every such wait, and fewer again as all goes well. So it is
hardly slower than alone; and a helper that finds no job for a while sleeps between looks. The bits are
those of one thread: a group's sums do not depend on who computes them.

Members stand in a line, each before its share of the pieces, and turn round after every step: what one
has read last is still in its core's cache when it reads on from there. Two neighbours that walk towards
each other go on until they meet, and where they met their shares meet from then on: so shares follow the
speed of the cores, and only what lies there changes hands. Other pieces of somebody who is at work are
taken only after waiting for as long as one's own share took: who takes them drives its own weights out of
its cache, and would be late itself in the next step.

A piece can be taken only while its job is not finished, and the words of a job are written only when
the one before is. So whoever has taken a piece has read the words of that job, not of another. What is
read before, which way to go and where one's share lies, is a hint: whoever has it wrong takes other pieces.
"""

from ..lanes.atomics import (
    add_shared,
    claim,
    give_way,
    nanoseconds,
    pause,
    read_shared,
    sleep,
    write_shared,
)
from ..lanes.memory import field, set_field
from . import task as slot
from .convolve import run_strips
from .unit import project_groups, stage_groups
from .whole import product_groups, step_groups

#: Turns of waiting after which whoever waits lets others have its core between turns. Often it is the
#: very thread that is waited for: a woken helper may begin on the core of the one that woke it.
_SPINS = 500
#: Turns of waiting for a job, a millisecond or more, after which a helper sleeps between turns, and for how
#: many microseconds.
_PATIENCE, _NAP = 4_000, 200
#: Nanoseconds, beside twice those of one's own share, after which a wait for a piece is a long one.
_LONG_WAIT = 50_000
#: Jobs that the loop does alone after it waited long for a helper: at least, and at most.
_SHORT_REST, _LONG_REST = 32, 16_384


def size_of_job(task, stage, map_, rows):
    """The groups of a job; of a stage that has positions the tiles of rows."""
    if map_ == slot.STRIPS:
        tile = field(task, slot.TILE)
        return (rows + tile - 1) // tile
    return field(stage, slot.GROUPS)


def run_part(task, work, stage, map_, rows, i, extent, first, end, member):
    """Some groups of a job, or some of its tiles of rows."""
    if map_ == slot.WHOLE_STAGE:
        stage_groups(task, work, stage, rows, i, extent, first, end, member)
    elif map_ == slot.PRODUCTS:
        product_groups(task, work, stage, rows, extent, first, end, member)
    elif map_ == slot.STEP:
        step_groups(task, work, stage, rows, i, extent, first, end)
    elif map_ == slot.STRIPS:
        tile = field(task, slot.TILE)
        run_strips(task, work, stage, i, extent, first * tile, min(end * tile, rows), member)
    else:
        project_groups(task, work, stage, map_, rows, i, extent, first, end)


def run_pieces(task, work, team, piece, count, member):
    """Run `count` pieces of the current job, from `piece` on."""
    pieces = field(team, slot.TEAM_PIECES)
    stage, rows = field(team, slot.JOB_STAGE), field(team, slot.JOB_ROWS)
    map_, i = field(team, slot.JOB_MAP), field(team, slot.JOB_STEP)
    extent, size = field(team, slot.JOB_EXTENT), size_of_job(task, stage, map_, rows)
    first, end = piece * size // pieces, (piece + count) * size // pieces
    run_part(task, work, stage, map_, rows, i, extent, first, end, member)


def claim_of(team, piece):
    """Where the word is that tells for which job a piece was taken."""
    member, place = piece // slot.PIECES_EACH, piece % slot.PIECES_EACH
    return team + slot.TEAM_CLAIMS + slot.LINE * member + slot.EIGHT * place


def walk(task, work, team, job, member):
    """Take pieces in the direction of this job, from one's own share on, up to the first that is taken.

    All but the last of one's own are taken at once: whoever takes one waits until all that was written
    before is seen by others.
    """
    mine = team + slot.TEAM_SHARES + slot.LINE * member
    low, high = field(mine, slot.SHARE_LOW), field(mine, slot.SHARE_HIGH)
    pieces, taken = field(team, slot.TEAM_PIECES), 0
    upward = (field(team, slot.JOB_TURN) + member) & 1 == 0
    piece, way = (low, 1) if upward else (high - 1, -1)
    while taken < high - low - 1 and claim(claim_of(team, piece), job - 1, job) != 0:
        taken += 1
        piece += way
    if taken > 0:
        run_pieces(task, work, team, low if upward else piece + 1, taken, member)
    while 0 <= piece < pieces:
        if claim(claim_of(team, piece), job - 1, job) != 0:
            run_pieces(task, work, team, piece, 1, member)
            taken += 1
        elif taken > 0 or not low <= piece < high:
            break
        piece += way
    if taken > 0:
        add_shared(team + slot.TEAM_DONE, taken)
    # By one piece only: who lost its core for a moment keeps nearly all of its share.
    if taken > 0 and upward and member + 1 < field(team, slot.TEAM_MEMBERS):
        if piece < pieces:
            set_field(mine, slot.SHARE_HIGH, high + min(max(piece - high, -1), 1))
    elif taken > 0 and not upward and member > 0 and piece >= 0:
        set_field(mine, slot.SHARE_LOW, low + min(max(piece + 1 - low, -1), 1))
    return way


def all_have_begun(team, job):
    """Whether every member has come to a job."""
    for member in range(field(team, slot.TEAM_MEMBERS)):
        mine = team + slot.TEAM_SHARES + slot.LINE * member
        if read_shared(mine + slot.SHARE_JOB) != job:
            return False
    return True


def take_pieces(task, work, team, job, member):
    """Take pieces of a job until none is left; how long one's own share took, in nanoseconds."""
    begin = nanoseconds()
    write_shared(team + slot.TEAM_SHARES + slot.LINE * member + slot.SHARE_JOB, job)
    way = walk(task, work, team, job, member)
    now = nanoseconds()
    own = now - begin
    pieces = field(team, slot.TEAM_PIECES)
    for number in range(pieces):
        piece = number if way > 0 else pieces - 1 - number
        place = claim_of(team, piece)
        while now - begin < 2 * own and read_shared(place) == job - 1 and all_have_begun(team, job):
            pause()
            now = nanoseconds()
        if read_shared(place) == job - 1 and claim(place, job - 1, job) != 0:
            run_pieces(task, work, team, piece, 1, member)
            add_shared(team + slot.TEAM_DONE, 1)
    return own


def share(task, work, stage, map_, rows, i, extent):
    """Run a job with the helpers: a map from step `i` of time on, or what `map_` stands for at step `i`.

    `extent` is the number of steps of the chunk, or the parity of the step.
    """
    team = field(task, slot.TEAM)
    rest = field(team, slot.TEAM_REST)
    if rest > 0:
        set_field(team, slot.TEAM_REST, rest - 1)
        size = size_of_job(task, stage, map_, rows)
        run_part(task, work, stage, map_, rows, i, extent, 0, size, 0)
        return
    set_field(team, slot.JOB_STAGE, stage)
    set_field(team, slot.JOB_MAP, map_)
    set_field(team, slot.JOB_ROWS, rows)
    set_field(team, slot.JOB_STEP, i)
    set_field(team, slot.JOB_EXTENT, extent)
    job = field(team, slot.TEAM_JOB) + 1
    # The same stage goes the other way in the next step, however many jobs lie between.
    set_field(team, slot.JOB_TURN, extent & 1 if map_ < slot.JOB_KINDS else job & 1)
    write_shared(team + slot.TEAM_JOB, job)
    long = 2 * take_pieces(task, work, team, job, 0) + _LONG_WAIT
    all_done = job * field(team, slot.TEAM_PIECES)
    turns, begin = 0, nanoseconds()
    while read_shared(team + slot.TEAM_DONE) != all_done:
        turns += 1
        if turns > _SPINS:
            give_way()
        else:
            pause()
    next_rest = field(team, slot.TEAM_NEXT_REST)
    if turns > _SPINS and nanoseconds() - begin > long:
        set_field(team, slot.TEAM_REST, max(next_rest, _SHORT_REST))
        set_field(team, slot.TEAM_NEXT_REST, min(max(2 * next_rest, 2 * _SHORT_REST), _LONG_REST))
    else:
        set_field(team, slot.TEAM_NEXT_REST, next_rest - ((next_rest + 127) >> 7))


def help_team(task, work, team, member):
    """What a helper does until the loop is over.

    Of the task and the workspace it reads nothing before it has taken a piece: they may be gone.
    """
    last, turns = 0, 0
    while read_shared(team + slot.TEAM_OVER) == 0:
        job = read_shared(team + slot.TEAM_JOB)
        if job != last:
            take_pieces(task, work, team, job, member)
            last, turns = job, 0
            continue
        turns += 1
        if turns > _PATIENCE:
            sleep(_NAP)
        elif turns > _SPINS:
            give_way()
        else:
            pause()
