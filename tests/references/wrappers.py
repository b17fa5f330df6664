"""What is done around a cell; each takes the reference of the cell inside."""

from reference import sigmoid


def residual(inside):
    """Wu et al. (2016), section 3.1."""

    def made(*weights):
        cell = inside(*weights)

        def step(x, states):
            y, states = cell(x, states)
            return x + y, states

        return step

    return made


def highway(inside):
    """Srivastava et al. (2015), eq. 3, with the gate of TensorFlow's wrapper: it carries."""

    def made(*weights):
        *weights, kernel, bias = weights
        cell = inside(*weights)

        def step(x, states):
            y, states = cell(x, states)
            carry = sigmoid(x @ kernel + bias)
            return carry * x + (1 - carry) * y, states

        return step

    return made


def zoneout(inside, rates, output_state=0):
    """Krueger et al. (2017), in expectation."""

    def made(*weights):
        cell = inside(*weights)

        def step(x, states):
            y, new = cell(x, states)
            new = [
                z * old + (1 - z) * moved for z, old, moved in zip(rates, states, new, strict=True)
            ]
            return y if output_state is None else new[output_state], new

        return step

    return made
