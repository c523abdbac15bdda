"""The standard normal distribution function as a polynomial: one division, no exp, no branch, no table.

    Phi(-a) = 1 / (2 p(a)^16),    p(a) = 1 + c1 a + ... + c16 a^16,    0 <= a <= 8.4

The form is Hastings' (Approximations for Digital Computers, 1955; Abramowitz and Stegun 1964, 7.1.28, six
coefficients, 3e-7). The sixteen here are the minimax fit of the absolute error of Phi on 0..8.4, by Remez exchange in
50 digits: 2.3e-14, and p(0) = 1 holds exactly, so Phi(0) = 0.5. Beyond 8.4 the tail is below 2.3e-17 and is left there.
The C library's erfc takes thirteen times as long: a compiler cannot vectorise it.
"""

from __future__ import annotations

from engine.kernels._compile import arithmetic

SATURATED = 8.4  # Phi(-8.4) = 2.3e-17: below half a unit in the last place of 1

C1, C2, C3, C4 = 0.04986778505055241, 0.02113776586435386, 0.003283731919844629, 3.725227574696534e-05
C5, C6, C7, C8 = 4.10757668164834e-05, 1.3244528679054718e-05, -2.895164616200525e-06, 2.0179871997128236e-07
C9, C10, C11, C12 = 1.8916513155001225e-07, -8.495614712389739e-08, 2.114189183177126e-08, -3.5371347682475287e-09
C13, C14, C15, C16 = 4.0921516906108714e-10, -3.138849586645779e-11, 1.4323888766566306e-12, -2.9097641106859047e-14


@arithmetic
def normal_cdf(z: float) -> float:
    """Phi(z) to 3e-14 (absolute). Pairs of coefficients first (Estrin): four short chains instead of a long one."""
    a = min(abs(z), SATURATED)
    a2 = a * a
    a4 = a2 * a2
    a8 = a4 * a4
    low = ((1.0 + a * C1) + a2 * (C2 + a * C3)) + a4 * ((C4 + a * C5) + a2 * (C6 + a * C7))
    high = ((C8 + a * C9) + a2 * (C10 + a * C11)) + a4 * ((C12 + a * C13) + a2 * (C14 + a * C15)) + a8 * C16
    p = low + a8 * high
    p2 = p * p
    p4 = p2 * p2
    p8 = p4 * p4
    tail = 0.5 / (p8 * p8)
    return tail if z < 0.0 else 1.0 - tail
