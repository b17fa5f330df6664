"""What a compiled loop is told: one table of 64-bit integers, addresses and sizes.

Every cell's loop has the same signature, ``(task, work, first block, last block)``, whatever the
cell holds; the table says the rest. The names below are places in it, in bytes; strides and row
lengths are in bytes too.

Per sample b, step number k = 0, 1, ... of its valid steps reads the input at time ``t = first[b] +
direction * k``, or, under a mask, at the k-th time whose flag is set, and writes its output at
position ``origin[b] + output_direction * t``.
"""

EIGHT = 8

(
    ROWS, BLOCK, CHUNK, UNITS, GROUPS, SIZE,
    ORDER, COUNT, FIRST, DIRECTION, STEPS,
    MASK, MASK_ROW, MASK_TIME,
    OUTPUT, OUTPUT_START, OUTPUT_ORIGIN, OUTPUT_DIRECTION, OUTPUT_STRIDE, HOLD,
    STATES, STATE_COUNT, STATE_BYTES, PARAMS,
    POINTWISE, INPUT_MAPS, RECURRENT_MAPS, X_ROW, R_ROW,
    WORK_X, WORK_R, WORK_STATE, WORK_SOURCE, WORK_WHEN, WORK_ROW, WORK_GATHER,
    MAPS,
) = range(0, 37 * EIGHT, EIGHT)  # fmt: skip

#: A map, from `MAPS` on: first those of the inputs, then those of the states.
(
    PRODUCT, PANEL, PANEL_GROUP, BIAS, BIAS_GROUP, LENGTH, SOURCE_GROUP,
    VALUES, START, TIME_STRIDE, FEATURE_STRIDE, FEATURES, GATHER, SOURCE_ROW,
    STATE,
) = range(0, 15 * EIGHT, EIGHT)  # fmt: skip
MAP_BYTES = 15 * EIGHT

#: A state: where it begins and where it is left, with the bytes between samples; and whether it has
#: two copies, because maps read the whole of the old one while the new one is written.
(STATE_FROM, STATE_FROM_ROW, STATE_TO, STATE_TO_ROW, MOVES) = range(0, 5 * EIGHT, EIGHT)
STATE_ENTRY = 5 * EIGHT

#: What the loop keeps for each row of a block, in the workspace.
(SAMPLE, VALID, BEGIN, PLACE, CURSOR, SOURCE_AT, SOURCE_STRIDE) = range(0, 7 * EIGHT, EIGHT)
ROW_ENTRY = 7 * EIGHT

#: What a gather is told.
(
    GATHER_FROM, GATHER_TIME_STRIDE, GATHER_FEATURE_STRIDE, GATHER_FEATURES, GATHER_TO,
    GATHER_TO_ROW, GATHER_COUNT, GATHER_WHEN,
) = range(0, 8 * EIGHT, EIGHT)  # fmt: skip
GATHER_BYTES = 8 * EIGHT

#: Values of `HOLD`: what is written at the positions of skipped steps.
NOT_HELD, REPEATED, ZEROS = 0, 1, 2
