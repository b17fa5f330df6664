"""Whatever is wrong is told in one sentence, before anything is run; nothing is changed by it."""

import numpy as np
import pytest
from toys import AccCall, AccUnit

import numbarnn as nr

X = np.ones((2, 3, 1))


class C:
    """A cell of Keras's form that returns what it is told to."""

    def __init__(self, result):
        self.result, self.state_size = result, 1

    def call(self, inputs, states):
        return self.result(inputs, states)


class DictOut:
    state_size = 1

    def call(self, inputs, states):
        return {"a": inputs, "b": states[0]}, states

    def get_config(self):
        return {}


class NoUnits(nr.Cell):
    state_size = 1

    @nr.step(per="unit")
    def step(x, r, states, params):
        return states[0], (states[0],)


class BadStages(nr.Cell):
    units = state_size = 1

    def stages(self):
        return 3


class BadOut(nr.Cell):
    def __init__(self, output_size):
        super().__init__()
        self.units = self.state_size = 1
        self.output_size = output_size

    def stages(self):
        return (nr.Stage(self.step, inputs=(nr.Map(),)),)

    @nr.step(per="unit")
    def step(x, r, states, params):
        return x[0], (states[0],)


def stateful():
    layer = nr.LSTM(2, stateful=True)
    layer(X)
    return layer


def built():
    layer = nr.LSTM(2)
    layer.build((None, None, 1))
    return layer


# fmt: off
WRONG = [
    ("`merge_mode` must be None or a function for outputs that are no single array of one shape; got 'concat'.", lambda: nr.Bidirectional(nr.RNN(DictOut()))(X)),
    ('`inputs` must hold at least one array; got ().', lambda: nr.RNN(AccCall())(())),
    ('`inputs` must hold at least one array; got {}.', lambda: nr.LSTM(2)({})),
    ('`inputs` must have shape (batch, time, features); got (0,).', lambda: nr.LSTM(2)([])),
    ('`mask` must be an array of numbers (rows of different lengths: nr.Ragged, or padding and `lengths`); got a list whose entries differ in length.', lambda: nr.LSTM(2)(X,mask=[[1],[1,2]])),
    ('`kernel` must be an array of numbers (rows of different lengths: nr.Ragged, or padding and `lengths`); got a list whose entries differ in length.', lambda: built().set_weights([[[1],[1,2]],1,2])),
    ('`kernel` must be an array of real numbers; got dtype <U1.', lambda: built().set_weights(['a','b','c'])),
    ('`kernel` must be an array of real numbers; got dtype complex64.', lambda: built().set_weights([w+1j for w in built().get_weights()])),
    ('`weights` must be a list; got int.', lambda: built().set_weights(5)),
    ('`values` must be an array of numbers (rows of different lengths: nr.Ragged, or padding and `lengths`); got a list whose entries differ in length.', lambda: nr.Ragged([[1],[1,2]],[0,2])),
    ('`values` must be an array of real numbers; got dtype <U1.', lambda: nr.Ragged(['a'],[0,1])),
    ('`offsets` must be an array of numbers (rows of different lengths: nr.Ragged, or padding and `lengths`); got a list whose entries differ in length.', lambda: nr.Ragged([1.],[[0],[1,2]])),
    ('`values` must be an array of real numbers; got NoneType.', lambda: nr.Ragged(None,None)),
    ('`inputs` must be an array of numbers (rows of different lengths: nr.Ragged, or padding and `lengths`); got a list whose entries differ in length.', lambda: nr.Embedding(3,2)([[1],[1,2]])),
    ('`inputs` must be an array of real numbers; got NoneType.', lambda: nr.Embedding(3,2)(None)),
    ("`BadOut.output_size` must hold sizes of at least 0, or nr.Shape; got 'a'.", lambda: nr.RNN(BadOut('a'))(X)),
    ('`BadOut.output_size` must hold sizes of at least 0, or nr.Shape; got -1.', lambda: nr.RNN(BadOut(-1))(X)),
    ('`BadOut.output_size` must hold sizes of at least 0, or nr.Shape; got 2.5.', lambda: nr.RNN(BadOut(2.5))(X)),
    ('`C.call` must return (output, new_states); got NoneType.', lambda: nr.RNN(C(lambda x,s: None))(X)),
    ('`C.call` must return (output, new_states); got ndarray.', lambda: nr.RNN(C(lambda x,s: x))(X)),
    ('`C.call` must return (output, new_states); got 3 values.', lambda: nr.RNN(C(lambda x,s: (x,s,s)))(X)),
    ("`C.call` must return arrays of numbers; got 'ab'.", lambda: nr.RNN(C(lambda x,s: ('ab',s)))(X)),
    ("`C.call` must return arrays of numbers; got 'ab'.", lambda: nr.RNN(C(lambda x,s: (x,'ab')))(X)),
    ('`C.call` must return an output; got ().', lambda: nr.RNN(C(lambda x,s: ((),s)))(X)),
    ('`C.call` must return outputs of shape (2, ...); got ().', lambda: nr.RNN(C(lambda x,s: ([[1],[1,2]],s)))(X)),
    ('`C.call` must return arrays of numbers; got None.', lambda: nr.RNN(C(lambda x,s: (x,[None])))(X)),
    ('`states` must be an array of real numbers; got dtype <U3.', lambda: setattr(stateful(),'states','abc')),
    ('`states` must hold arrays of shape (batch, ...); got 5.', lambda: setattr(stateful(),'states',5)),
    ('Layer `lstm` expects 2 states, but it received 0 state values.', lambda: setattr(stateful(),'states',[])),
    ('`states` must hold arrays of shape (batch, ...); got [5, 5].', lambda: setattr(stateful(),'states',[5,5])),
    ("`states` must be None, 'initial' or arrays; got 'abc'.", lambda: stateful().reset_states('abc')),
    ('Layer `lstm` expects 2 states, but it received 1 state values.', lambda: stateful().reset_states(5)),
    ('Layer `lstm` expects 2 states, but it received 4 state values.', lambda: stateful().reset_states([[[1],[1,2]],3])),
    ('`batch_input_shape` must be a shape, or a nest of shapes; got 5.', lambda: nr.LSTM(2,batch_input_shape=5)),
    ('`batch_input_shape` must have at least 3 sizes, each None or at least 0; got (2, 3).', lambda: nr.LSTM(2,batch_input_shape=(2,3))),
    ("`batch_input_shape` must be a shape, or a nest of shapes; got 'abc'.", lambda: nr.LSTM(2,batch_input_shape='abc')),
    ('`batch_input_shape` must have at least 3 sizes, each None or at least 0; got (-2, 3, 1).', lambda: nr.LSTM(2,batch_input_shape=(-2,3,1))),
    ('`input_shape` must be a shape, or a nest of shapes; got 5.', lambda: nr.LSTM(2).build(5)),
    ('`input_shape` must have at least 3 sizes, each None or at least 0; got (2, 3).', lambda: nr.LSTM(2).build((2,3))),
    ('`input_shape` must be a shape, or a nest of shapes; got None.', lambda: nr.LSTM(2).build(None)),
    ("`input_shape` must say every size that weight 'kernel' needs, which would have the shape (None, 8).", lambda: nr.LSTM(2).build((None,None,None))),
    ('`input_shape` must be a shape, or a nest of shapes; got ().', lambda: nr.LSTM(2).build(())),
    ('`input_shape[0]` must be a shape, or a nest of shapes; got None.', lambda: nr.LSTM(2).build((None,None,'a'))),
    ('`input_shape` must have at least 3 sizes, each None or at least 0; got (2,).', lambda: nr.LSTM(2).compute_output_shape((2,))),
    ('`input_shape` must be a shape, or a nest of shapes; got 3.', lambda: nr.LSTM(2).compute_output_shape(3)),
    ('`inputs` must have one axis of features, as the step of the cell sees one unit; got (2, 3, 4, 5).', lambda: nr.LSTM(2)(np.ones((2,3,4,5)))),
    ('`inputs` must have one axis of features, as the step of the cell sees one unit; got (2, 3, 4, 5).', lambda: nr.RNN(AccUnit())(np.ones((2,3,4,5)))),
    ('`inputs` must have shape (batch, time, 1) (the cell was built for 1 features); got (2, 3, 4).', lambda: (lambda c: (nr.RNN(c)(X), nr.RNN(c)(np.ones((2,3,4)))))(nr.LSTMCell(2))),
    ('`cells` must be a list; got NoneType.', lambda: nr.StackedRNNCells(None)),
    ('`cells` must be a list; got LSTMCell.', lambda: nr.StackedRNNCells(nr.LSTMCell(2))),
    ('Argument `cell` should have a `call` method, or a `step` made by nr.step; got NoneType.', lambda: nr.RNN(None)),
    ('Argument `cell` must be an object, not a class; got LSTMCell.', lambda: nr.RNN(nr.LSTMCell)),
    ('Argument `cell` should have a `call` method, or a `step` made by nr.step; got LSTM.', lambda: nr.RNN(nr.LSTM(2))),
    ("`seed` must be an integer of at least 0; got 'a'.", lambda: nr.LSTM(2,seed='a')),
    ('`seed` must be an integer of at least 0; got -1.', lambda: nr.LSTM(2,seed=-1)),
    ("`num_constants` must be an integer of at least 0; got 'a'.", lambda: nr.RNN(AccCall(),num_constants='a')),
    ("`training` must be True, False or None; got 'yes'.", lambda: nr.LSTM(2)(X,training='yes')),
    ('`training` must be True, False or None; got array([1., 1., 1.]).', lambda: nr.LSTM(2)(X,training=np.ones(3))),
    ('`batch_size` must be given where there are no `inputs`; got None.', lambda: nr.LSTMCell(2).get_initial_state()),
    ("`batch_size` must be an integer of at least 0; got 'a'.", lambda: nr.LSTMCell(2).get_initial_state(batch_size='a')),
    ("`dtype` must be a dtype; got 'foo'.", lambda: nr.LSTMCell(2).get_initial_state(batch_size=2,dtype='foo')),
    ('`inputs` must have a batch axis; got a number.', lambda: nr.LSTMCell(2).get_initial_state(inputs=3)),
    ('`batch_size` must be given where there are no `inputs`; got None.', lambda: nr.StackedRNNCells([nr.LSTMCell(2)]).get_initial_state()),
    ("`dropout` must be a number in 0 ... 1; got 'a'.", lambda: nr.LSTM(2,dropout='a')),
    ('`dropout` must be a number in 0 ... 1; got None.', lambda: nr.LSTM(2,dropout=None)),
    ("`rate` must lie in 0 ... 1; got 'a'.", lambda: nr.Dropout('a')),
    ('`rate` must lie in 0 ... 1; got 2.', lambda: nr.Dropout(2)),
    ('`rate` must lie in 0 ... 1; got nan.', lambda: nr.Dropout(float('nan'))),
    ('`noise_shape` must be a list; got int.', lambda: nr.Dropout(.5,noise_shape=3)),
    ('`noise_shape` must fit inputs of shape (2, 3, 1); got (1, 2).', lambda: nr.Dropout(.5,noise_shape=(1,2))(X,training=True)),
    ("`embeddings_initializer` must be a function or one of ['glor", lambda: nr.Embedding(3,2,embeddings_initializer='foo')),
    ("`input_dim` must be an integer of at least 1; got 'a'.", lambda: nr.Embedding('a',2)),
    ('`NoUnits.units` must be an integer of at least 1, as its step sees one unit; got None.', lambda: nr.RNN(NoUnits())(X)),
    ('`BadStages.stages` must return a tuple of nr.Stage; got 3.', lambda: nr.RNN(BadStages())(X)),
    ('`initial_state` must have the structure ((2,), (2,)) (without the batch); got 1 entries.', lambda: nr.LSTM(2)(X,initial_state={'h':1})),
    ('`initial_state` must have the structure ((2,), (2,)) (without the batch); got one str.', lambda: nr.LSTM(2)(X,initial_state='ab')),
    ('`initial_state` must hold 2 states, ((2,), (2,)) (without the batch); got 3.', lambda: nr.LSTM(2)(X,initial_state=[np.zeros((2,2))]*3)),
    ('`initial_state[0]` must be an array of shape (2, 2); got None.', lambda: nr.LSTM(2)(X,initial_state=[None,None])),
    ('`initial_state[0]` must be an array of numbers (rows of diff', lambda: nr.LSTM(2)(X,initial_state=[[[1],[1,2]],3])),
    ('`mask` must have shape (2, 3) (one flag per sample and time step); got (2, 3, 4).', lambda: nr.LSTM(2)(X,mask=np.ones((2,3,4)))),
    ('`lengths` must be an array of real numbers; got dtype <U1.', lambda: nr.LSTM(2)(X,lengths='a')),
    ('`lengths` must be integers of shape (2,); got float64 of shape (2,).', lambda: nr.LSTM(2)(X,lengths=[1.5,2])),
    ('`lengths` must be an array of numbers (rows of different lengths: nr.Ragged, or padding and `lengths`); got a list whose entries differ in length.', lambda: nr.LSTM(2)(X,lengths=[[1],[1,2]])),
    ('`lengths` must be integers of shape (2,); got int64 of shape ().', lambda: nr.LSTM(2)(X,lengths=3)),
    ('`out` must be a float32 array of shape (2, 2); got int.', lambda: nr.LSTM(2)(X,out=5)),
    ('`out` must hold 1 array; got 2.', lambda: nr.LSTM(2)(X,out=[np.zeros((2,2),'f4')]*2)),
    ('`out` must hold arrays; got int.', lambda: nr.LSTM(2)(X[0],batched=False,out=5)),
    ('`lengths` must be one integer with batched=False; got shape (2,).', lambda: nr.LSTM(2)(X[0],batched=False,lengths=[1,2])),
    ('`mask` must have shape (1, 3) (one flag per sample and time step); got (1,).', lambda: nr.LSTM(2)(X[0],batched=False,mask=5)),
    ('`inputs` must be an array of real numbers; got NoneType.', lambda: nr.LSTM(2)(None)),
    ('`initial_state[0]` must be an array of shape (2, 2); got None.', lambda: nr.LSTM(2)([X,None,None])),
    ("`units` must be an integer of at least 1; got 'a'.", lambda: nr.LSTM('a')),
    ('`units` must be an integer of at least 1; got 2.5.', lambda: nr.LSTM(2.5)),
    ('`units` must be an integer of at least 1; got array([1., 1., 1.]).', lambda: nr.LSTM(np.ones(3))),
    ("`activation` must be a function, None or one of ['elu', 'exp", lambda: nr.LSTM(2,activation='foo')),
    ("`activation` must be a function, None or one of ['elu', 'exp", lambda: nr.LSTM(2,activation=3)),
    ("`kernel_initializer` must be a function or one of ['glorot_u", lambda: nr.LSTM(2,kernel_initializer=3)),
    ('`layers` must be a list; got NoneType.', lambda: nr.Sequential(None)),
    ('`layers` must be a list; got Dense.', lambda: nr.Sequential(nr.Dense(2))),
    ('`input_shape` must be a shape, or a nest of shapes; got 5.', lambda: nr.Sequential([nr.Dense(2)]).build(5)),
    ('`inputs` must be an array of real numbers; got dtype <U1.', lambda: nr.Sequential([nr.LSTM(2)])('a')),
    ('`inputs` must be an nr.Ragged; got ndarray.', lambda: nr.Sequential([nr.LSTM(2)]).emit(X)),
    ('`inputs` must have shape (..., features); got ().', lambda: nr.Dense(2)(3)),
    ('`input_shape` must be a shape, or a nest of shapes; got 3.', lambda: nr.Dense(2).build(3)),
    ("`activation` must be a function, None or one of ['elu', 'exp", lambda: nr.Dense(2,activation=np.ones(3))),
    ('`mask_value` must be an array of real numbers; got dtype <U1.', lambda: nr.Masking('a')),
    ('`mask_value` must be a number; got shape (3,).', lambda: nr.Masking(np.ones(3))),
    ('`layer` must be a layer; got int.', lambda: nr.TimeDistributed(3)),
    ('`input_shape` must be a shape, or a nest of shapes; got 5.', lambda: nr.TimeDistributed(nr.Dense(2)).build(5)),
    ('`layer` must be an RNN; got int.', lambda: nr.Bidirectional(3)),
    ("Invalid merge mode: `merge_mode` must be a function or one of ['concat', 'sum', 'mul', 'ave', None]; got array([1., 1., 1.]).", lambda: nr.Bidirectional(nr.LSTM(2),merge_mode=np.ones(3))),
    ("Invalid merge mode: `merge_mode` must be a function or one of ['concat', 'sum', 'mul', 'ave', None]; got ['concat'].", lambda: nr.Bidirectional(nr.LSTM(2),merge_mode=['concat'])),
    ("`backward_layer` must give outputs of the layer's shape, (2,), to be merged by 'sum'; got (3,).", lambda: nr.Bidirectional(nr.LSTM(2),merge_mode='sum',backward_layer=nr.LSTM(3,go_backwards=True))),
    ("`backward_layer.dtype` must be float32, as the layer's; got float64.", lambda: nr.Bidirectional(nr.LSTM(2),backward_layer=nr.LSTM(2,go_backwards=True,dtype='float64'))),
    ('`out` must be a list of two arrays, forward and backward, as `merge_mode` is None; got ndarray.', lambda: nr.Bidirectional(nr.LSTM(2),merge_mode=None)(X,out=np.zeros((2,4),'f4'))),
    ('`out` must be None with a function as `merge_mode`; it is not.', lambda: nr.Bidirectional(nr.LSTM(2),merge_mode=lambda a,b:a)(X,out=np.zeros((2,2),'f4'))),
    ('`out` must be a float32 array of shape (2, 2); got float32 of shape (2, 3).', lambda: nr.Bidirectional(nr.RNN(AccCall()))(X,out=np.zeros((2,3),'f4'))),
    ('`states` must be a list with an even number of states, the forward ones first; got int.', lambda: setattr(nr.Bidirectional(nr.LSTM(2,stateful=True)),'states',5)),
    ('`initial_state` must be a list with an even number of states, the forward ones first; got one array.', lambda: nr.Bidirectional(nr.LSTM(2))(X,initial_state=np.ones(4))),
    ("`dtype` must be 'float64', as the cell `LSTMCell` has been told; got 'float32'.", lambda: nr.RNN(nr.LSTMCell(2,dtype='float64'))),
    ('`inputs` must have shape (batch, features); got ().', lambda: nr.LSTMCell(2)(3,3)),
    ('`states` must hold 2 states; got 1.', lambda: nr.LSTMCell(2)(np.ones((2,3)),5)),
    ('RNN cell `LSTMCell` does not support constants; got 1.', lambda: nr.LSTMCell(2)(np.ones((2,3)),[np.ones((2,2))]*2,constants=[3])),
    ('`inputs` must hold at least one array; got ().', lambda: nr.LSTMCell(2)((),[np.ones((2,2))]*2)),
    ('`states` must hold 2 states; got 1.', lambda: nr.LSTMCell(2)(np.ones((2,3)),None)),
    ('`states` must be a list; got NoneType.', lambda: nr.StackedRNNCells([nr.LSTMCell(2)])(np.ones((2,3)),None)),
    ('`states` must hold one entry per cell, 1; got 2.', lambda: nr.StackedRNNCells([nr.LSTMCell(2)])(np.ones((2,3)),[1,2])),
    ('`kernel` must have 1 or 2 axes; got shape (2, 2, 2).', lambda: nr.Map(np.ones((2,2,2)))),
    ('`kernel` must have 1 or 2 axes; got shape ().', lambda: nr.Map('a')),
    ('A step must be a plain function or one compiled by njit; got 3.', lambda: nr.Stage(3)),
    ('A step must be a plain function or one compiled by njit; got 3.', lambda: nr.step(3,per='unit')),
    ("`per` must be 'unit', 'sample' or 'batch'; got 'x'.", lambda: nr.step(per='x')),
    ("`sizes` must be integers of at least 0; got ('a',).", lambda: nr.Shape('a')),
    ('`array` must be an array of real numbers; got dtype <U1.', lambda: nr.Shared('a')),
    ("`class_name` must be known; 'Foo' is not (import its module, or pass it as custom_objects={'Foo': ...}).", lambda: nr.RNN.from_config({'cell':{'class_name':'Foo','config':{}}})),
    ('`foo` must not be given: LSTM has no such argument.', lambda: nr.LSTM.from_config({'units':3,'foo':3})),
    ("`threads` must be an integer of at least 1, or None; got 'a'.", lambda: nr.set_num_threads('a')),
    ('`threads` must be an integer of at least 1, or None; got 0.', lambda: nr.set_num_threads(0)),
]
# fmt: on


@pytest.mark.parametrize(("told", "call"), WRONG, ids=[told for told, _ in WRONG])
def test_every_wrong_argument_is_told_in_one_sentence(told, call):
    with pytest.raises(nr.NumbarnnError) as caught:
        call()
    message = str(caught.value)
    assert message.startswith(told)
    assert "\n" not in message
