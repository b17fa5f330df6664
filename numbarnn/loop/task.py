"""What a compiled loop is told: tables of 64-bit integers, addresses and sizes.

Every loop has the same signature, ``(task, work, first block, last block)``, whatever the cell holds;
the task says the rest. The names below are places in a table, in bytes; strides and row lengths are
in bytes too. What begins with WORK is an offset into the workspace of the thread.

A row of a block is a sample; or, of a cell whose states have positions, one position of a sample. Then
all positions of a sample stand side by side, and a chunk is one step.

Step number k = 0, 1, ... of sample b reads the input at time t: the k-th of its valid times, counted
from the end when the direction is -1. Its output stands at a position p that is t, or, where a
backward pass keeps the order of processing, the distance of t from the row's end.
"""

EIGHT = 8


def rows_apart(block):
    """How many rows lie between a step and the next, in what inputs gave: an odd number.

    Tiles of an even number of rows would write what belongs to several steps onto few lines of a cache.
    """
    return block | 1


def _places(count):
    return range(0, count * EIGHT, EIGHT)


(
    SAMPLES, BLOCK, CHUNK, STEPS, DIRECTION, ORDER, COUNTS, FIRSTS, OFFSETS, BY_LENGTH,
    MASK, MASK_ROW, MASK_TIME, RESET, RESET_ROW, RESET_TIME,
    TRACKS, TRACK_COUNT, OUTPUTS, TURNED, STATES, STATE_COUNT, LAYERS, LAYER_COUNT,
    WORK_ROW, WORK_WHEN, WORK_PLACE, WORK_RESET, WORK_SOURCE, WORK_MASKED, WORK_GATHER,
    HOLD_ROWS, RESET_STATES, RESET_ENDS, WRITE_STATES, PROJECT_CONSTANTS, SHARE, TEAM,
    BEGIN_IMAGES, POSITIONS, STRIP, TILE,
) = _places(42)  # fmt: skip
TASK_BYTES = 42 * EIGHT

# HOLD_ROWS and what follows, up to SHARE, are addresses of parts of the loop, or 0 where a call has no use
# for them, as is BEGIN_IMAGES. A STRIP of so many positions goes through a stage at once; a team shares
# TILEs of them.

#: A track: what is written at every step; outputs first, then states. BYTES are those of one position.
(
    TRACK_TO, TRACK_SAMPLE, TRACK_TIME, TRACK_OFFSETS, TRACK_BYTES, TRACK_HOLD, TRACK_STATE,
) = _places(7)  # fmt: skip
TRACK_ENTRY = 7 * EIGHT

#: A state: where it begins and where it is left, and where it lies meanwhile. BYTES are those of one
#: position. COPY is the distance
#: of its second copy, or 0: a state that maps read whole while it is written has two.
(
    STATE_FROM, STATE_FROM_ROW, STATE_TO, STATE_TO_ROW, STATE_BYTES, WORK_STATE, STATE_ROW, STATE_COPY,
) = _places(8)  # fmt: skip
STATE_ENTRY = 8 * EIGHT

#: A layer: the stages of one cell. Its outputs go to the places in WORK_PLACES.
#: WORK_INNER is where the outputs of one that is not the last lie for the next, or -1.
(
    STAGES, STAGE_COUNT, FIRST_STATE, END_STATE, WORK_PLACES, WORK_INNER, INNER_ROW, INNER_TIME,
) = _places(8)  # fmt: skip
LAYER_ENTRY = 8 * EIGHT

#: A stage. With up to PAIRED_ROWS rows its groups are computed two at a time. WHOLE is the address of
#: what runs a stage that has positions, or whose recurrent maps need the whole row before the step, or 0.
#: STEPWISE: its one map of inputs may be multiplied step by step, as recurrent ones are, and not a chunk
#: of time at once: where their weights come from far anyway, so that what it gives stays near.
(
    POINTWISE, GROUPS, UNITS, MAPS, INPUT_MAPS, CONSTANT_MAPS, RECURRENT_MAPS, WORK_X, X_ROW,
    WORK_C, C_ROW, WORK_R, R_ROW, R_GROUP, PARAMS, STAGE_STATES, WORK_VALUES, VALUE_BYTES, VALUE_ROW,
    STAGE_PLACES, PAIRED_ROWS, WHOLE, STEPWISE,
) = _places(23)  # fmt: skip
STAGE_ENTRY = 23 * EIGHT

#: A map: of inputs, then of constants, then of states and inner values. PRODUCT_BACK is the product
#: where the panel before is the next one, PAIR that with two panels at once, for up to PAIR_ROWS rows.
#: NORM is the address of what normalises the row that this map completes, or 0; GEOMETRY that of the
#: image that it reads, or 0.
(
    PRODUCT, PRODUCT_BACK, PANEL, PANEL_GROUP, BIAS, BIAS_GROUP, LENGTH, SOURCE_GROUP,
    SOURCE, SOURCE_SAMPLE, SOURCE_TIME, SOURCE_OFFSETS, GATHER, GATHER_ITEMS, GATHER_STRIDE, GATHER_ROW,
    WORK_OPERAND, OPERAND_ROW, OPERAND_COPY, DROPPED, DROPPED_ROW, SCALE, PAIR, PAIR_ROWS,
    NORM, GEOMETRY,
) = _places(26)  # fmt: skip
MAP_ENTRY = 26 * EIGHT

#: How a row of a map is normalised: AT and TILE are bytes, to its first vector and between unit tiles.
#: NUMBERS has two vectors: the number of columns and epsilon, in every lane.
(
    NORMALISE, NORM_AT, NORM_GROUPS, NORM_JOINED, NORM_TILE, NORM_UNITS, NORM_GAMMA, NORM_BIAS,
    NORM_NUMBERS,
) = _places(9)  # fmt: skip
NORM_ENTRY = 9 * EIGHT

#: The image of an operand: for each of three axes in space the operand's size, the bytes between its
#: positions, and those between the image's. FILL is the code that lays one sample into its IMAGE_BYTES,
#: from IMAGE_FIRST on; 0 if another map's has done it. PLAIN: the channels lie side by side in the compute
#: type; PLAIN_LINE: the bytes of all along the last axis, if those do too, or 0. MASKS are dropout masks of
#: the whole operand, or 0. PLACES are those of the rows in the images of the block, LINES those of what a
#: row sees behind its place; LINE_COUNT is 0 for maps that take row by row.
(AXIS_SIZES, AXIS_STEPS, IMAGE_STEPS) = range(0, 9 * EIGHT, 3 * EIGHT)
(
    CHANNELS, CHANNEL_STEP, PLAIN, PLAIN_LINE, MASKS, MASKS_SAMPLE, FILL, WORK_IMAGE, IMAGE_BYTES,
    IMAGE_FIRST, PLACES, LINES, LINE_COUNT,
) = range(9 * EIGHT, 22 * EIGHT, EIGHT)  # fmt: skip
GEOMETRY_ENTRY = 22 * EIGHT

#: A state as a stage sees it. FRESH: an earlier stage of this step has written it already.
(SEEN_AT, SEEN_ROW, SEEN_COPY, FRESH) = _places(4)
SEEN_ENTRY = 4 * EIGHT

#: Instead of layers, what a loop over samples is told; and where it tells of a step that failed.
(
    SEES_INPUTS, SAMPLE_INPUTS, SEES_CONSTANTS, SAMPLE_CONSTANTS, WEIGHTS, SHAPES, WORK_VIEWS,
    WORK_SCRATCH, SAMPLE_STEP, RAISED, FAILED_SAMPLE, FAILED_STEP,
) = _places(12)  # fmt: skip
SAMPLES_ENTRY = 12 * EIGHT

#: An input of a loop over samples; an item of several axes has a table of sizes and strides.
(
    INPUT, INPUT_SAMPLE, INPUT_TIME, INPUT_OFFSETS, INPUT_GATHER, INPUT_ITEMS, INPUT_AXES,
    INPUT_STRIDES, WORK_INPUT,
) = _places(9)  # fmt: skip
INPUT_ENTRY = 9 * EIGHT

#: A constant of a loop over samples; a sample stride of 0 shows all samples the same.
(CONSTANT, CONSTANT_SAMPLE) = _places(2)
CONSTANT_ENTRY = 2 * EIGHT

#: What the loop keeps for each row of a block.
(SAMPLE, VALID, CURSOR, ORIGIN, AT, AT_STEP, POSITION) = _places(7)
ROW_ENTRY = 7 * EIGHT

#: What a gather is told. An item of one axis has its stride in ASK_STRIDE and no ASK_AXES.
(
    ASK_FROM, ASK_TIME, ASK_STRIDE, ASK_AXES, ASK_ITEMS, ASK_TO, ASK_TO_ROW, ASK_COUNT, ASK_WHEN,
) = _places(9)  # fmt: skip
ASK_BYTES = 9 * EIGHT

#: Where an array object has what is asked of it: behind the head that every object has.
_HEAD = object.__basicsize__
ARRAY_DATA, ARRAY_AXES, ARRAY_SIZES = _HEAD, _HEAD + 8, _HEAD + 16
ARRAY_DTYPE, ARRAY_FLAGS = _HEAD + 40, _HEAD + 48

#: What an array must be like: its dtype object, its two sizes.
(KIND_DTYPE, KIND_ROWS, KIND_COLUMNS) = _places(3)

#: What a stream is told: two kinds of array, where their addresses go, and the loop.
STREAM_VALUES, STREAM_OUTPUT = 0, 3 * EIGHT
(
    STREAM_PLACES, STREAM_PLACE_COUNT, STREAM_TARGET, STREAM_LOOP, STREAM_TASK, STREAM_WORK,
    STREAM_BLOCKS,
) = range(6 * EIGHT, 13 * EIGHT, EIGHT)  # fmt: skip
STREAM_BYTES = 13 * EIGHT

#: A call with other arrays than the one before: the loop, and where their addresses go. There is an entry
#: for each array, with the object itself and the number of its places, which follow one another.
(ARRAYS_LOOP, ARRAYS_TASK, ARRAYS_BLOCKS, ARRAYS_COUNT, ARRAYS, ARRAYS_PLACES) = _places(6)
ARRAYS_BYTES = 6 * EIGHT
(ARRAY_OBJECT, ARRAY_PLACES) = _places(2)
ARRAY_ENTRY = 2 * EIGHT

#: A team: what its members write lies in cache lines of its own.
LINE = 64
TEAM_JOB, TEAM_DONE, TEAM_OVER = range(0, 3 * LINE, LINE)
(TEAM_PIECES, TEAM_MEMBERS, TEAM_REST, TEAM_NEXT_REST) = range(3 * LINE, 3 * LINE + 32, EIGHT)
#: What a job is about, where it is not a map: a stage at one step, or, of a stage whose step waits for all
#: products, first these, then the step; or the strips of a stage that has positions, shared by rows, as all
#: else is by groups.
WHOLE_STAGE, PRODUCTS, STEP, STRIPS = range(4)
JOB_KINDS = 4  # a map has an address, which is more
#: JOB_TURN says which way the first member goes.
(JOB_STAGE, JOB_MAP, JOB_ROWS, JOB_STEP, JOB_EXTENT, JOB_TURN) = range(
    4 * LINE, 4 * LINE + 48, EIGHT
)
#: Threads that share the units of a step, at the most. There is a line for each: where its share of the
#: pieces begins and ends, and the job it came to last.
MOST_MEMBERS = 8
(SHARE_LOW, SHARE_HIGH, SHARE_JOB) = _places(3)
TEAM_SHARES = 5 * LINE
#: And for every piece, a line for those of a member: the job for which it was taken last.
TEAM_CLAIMS = TEAM_SHARES + MOST_MEMBERS * LINE
PIECES_EACH = 4
TEAM_BYTES = TEAM_CLAIMS + MOST_MEMBERS * LINE

#: A model behind one address: its machine code, its sizes, its states, its plans, its ports. ITEM is the
#: bytes of a number; UNITS and STATE are counts; IN_ROW and OUT_ROW bytes from one step to the
#: next, OUT_AT where its outputs begin there. SEQUENCES: whether the
#: outputs of all steps are kept. EMPTY is the address of the output of no steps, or 0 for zeros. RAISED is
#: where tables tell of a step that raised, or -1.
(
    MODEL_RUN, MODEL_RESET, MODEL_LOOP, MODEL_ITEM, MODEL_UNITS, MODEL_STATE, MODEL_SEQUENCES,
    MODEL_INITIAL, MODEL_OFFSETS, MODEL_STATES, MODEL_IN_ROW, MODEL_OUT_ROW, MODEL_OUT_AT, MODEL_EMPTY,
    MODEL_RAISED, MODEL_INPUTS, MODEL_OUTPUTS, MODEL_PARTS, MODEL_PART_COUNT, MODEL_GROUP, MODEL_VIEWS,
    MODEL_VIEW_COUNT, MODEL_FIXED, MODEL_EACH,
) = _places(24)  # fmt: skip
MODEL_PLANS = 24 * EIGHT

#: What a run gives that did not succeed: an id is none of the table's, or a step raised an exception.
NO_SUCH_ID, STEP_RAISED = 4, 5

#: One of its plans: tables, in which addresses of the tables themselves are counted from their beginning;
#: where such addresses stand, and where an input, its sample and its time do, each with the bytes in front
#: of the input in a row. A call needs WORK bytes of workspace, and STEP_WORK for every step.
(
    PLAN_TABLES, PLAN_SIZE, PLAN_INNER, PLAN_INNER_COUNT, PLAN_MAPS, PLAN_MAP_COUNT, PLAN_WORK,
    PLAN_STEP_WORK,
) = _places(8)  # fmt: skip
PLAN_ENTRY = 8 * EIGHT
#: The plans are for one sample or several, and one step or several: number 2 * several + several.
PLANS = 4

#: Behind the plans, what a model takes and gives: its inputs, then its outputs. NUMBERS are those of one
#: step; IDS: where they are ids, how many there are. COUNT and EVERY tell how many steps there are of how
#: many the model has: COUNT of them where EVERY is 0, else (steps + COUNT) // EVERY + 1, or none.
(PORT_NUMBERS, PORT_IDS, PORT_COUNT, PORT_EVERY) = _places(4)
PORT_ENTRY = 4 * EIGHT
MODEL_PORTS = MODEL_PLANS + PLANS * PLAN_ENTRY

#: What lies between the parts of a model that is more than one loop: REPEATS times COUNT rows of a sample,
#: both told as those of ports. It lies at a PORT, or, where that is -1, in buffers, behind their beginning
#: by FIXED bytes for each sample and EACH for each sample and step; those of a model are the bytes of all.
(
    VIEW_PORT, VIEW_FIXED, VIEW_EACH, VIEW_COUNT, VIEW_EVERY, VIEW_REPEATS, VIEW_REPEATS_EVERY,
) = _places(7)  # fmt: skip
VIEW_ENTRY = 7 * EIGHT
#: The same in a call: an address, rows, how many times, and the bytes to the next sample, or 0 of buffers.
(SHOWN_AT, SHOWN_COUNT, SHOWN_REPEATS, SHOWN_SAMPLE) = _places(4)
SHOWN_ENTRY = 4 * EIGHT

#: A part of such a model: the machine code that runs it; the model of a loop, or another address; the views
#: that it reads, writes, and finds or leaves a mask in, and that of states of its own, in bytes of a call's
#: table, or -1. ROW is the bytes of a row that it writes; the rest is said where it is read. In GROUPs
#: of samples, a model takes its parts one after the other.
(
    PART_RUN, PART_MODEL, PART_SOURCE, PART_TARGET, PART_MASK, PART_STATES, PART_ROW, PART_AT, PART_WIDTH,
    PART_STEP, PART_SIZE, PART_STRIDE, PART_DILATION, PART_BEFORE, PART_MODE, PART_STATE_ROW,
) = _places(16)  # fmt: skip
PART_ENTRY = 16 * EIGHT
