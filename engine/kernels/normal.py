"""The standard normal distribution function and its inverse.

The function is a polynomial: one division, no exp, no branch, no table.

    Phi(-a) = 1 / (2 p(a)^16),    p(a) = 1 + c1 a + ... + c16 a^16,    0 <= a <= 8.4

The form is Hastings' (Approximations for Digital Computers, 1955; Abramowitz and Stegun 1964, 7.1.28, six
coefficients, 3e-7). The sixteen here are the minimax fit of the absolute error of Phi on 0..8.4, by Remez exchange in
50 digits: 2.3e-14, and p(0) = 1 holds exactly, so Phi(0) = 0.5. Beyond 8.4 the tail is below 2.3e-17 and is left there.
The C library's erfc takes thirteen times as long: a compiler cannot vectorise it. The inverse is Wichura's (1988), AS
241.
"""

from __future__ import annotations

import math

from engine.kernels._compile import arithmetic, light

Z95 = 1.6448536269514722  # 95 % quantile
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


@light
def normal_quantile(p: float) -> float:
    """Quantile of the standard normal for 0 < p <= 0.5, to 16 digits (Wichura 1988, PPND16)."""
    return central_quantile(p) if is_central(p) else outer_quantile(p)


@light
def is_central(p: float) -> bool:
    """Check whether `central_quantile` holds for a p of 0..0.5."""
    return p - 0.5 >= -0.425


@light
def central_quantile(p: float) -> float:
    """`normal_quantile` for 0.075 <= p <= 0.5, without a branch or a loop: a caller's loop vectorises."""
    q = p - 0.5
    r = 0.180625 - q * q
    upper = 2.5090809287301226727e3 * r + 3.3430575583588128105e4
    upper = upper * r + 6.7265770927008700853e4
    upper = upper * r + 4.5921953931549871457e4
    upper = upper * r + 1.3731693765509461125e4
    upper = upper * r + 1.9715909503065514427e3
    upper = upper * r + 1.3314166789178437745e2
    upper = upper * r + 3.3871328727963666080e0
    lower = 5.2264952788528545610e3 * r + 2.8729085735721942674e4
    lower = lower * r + 3.9307895800092710610e4
    lower = lower * r + 2.1213794301586595867e4
    lower = lower * r + 5.3941960214247511077e3
    lower = lower * r + 6.8718700749205790830e2
    lower = lower * r + 4.2313330701600911252e1
    lower = lower * r + 1.0
    return q * upper / lower


@light
def outer_quantile(p: float) -> float:
    """`normal_quantile` for 0 < p < 0.075."""
    r = math.sqrt(-math.log(p))
    if r <= 5.0:
        r -= 1.6
        upper = 7.74545014278341407640e-4
        for a in (2.27238449892691845833e-2, 2.41780725177450611770e-1, 1.27045825245236838258e0,
                  3.64784832476320460504e0, 5.76949722146069140550e0, 4.63033784615654529590e0,
                  1.42343711074968357734e0):  # fmt: skip
            upper = upper * r + a
        lower = 1.05075007164441684324e-9
        for b in (5.47593808499534494600e-4, 1.51986665636164571966e-2, 1.48103976427480074590e-1,
                  6.89767334985100004550e-1, 1.67638483018380384940e0, 2.05319162663775882187e0, 1.0):  # fmt: skip
            lower = lower * r + b
    else:
        r -= 5.0
        upper = 2.01033439929228813265e-7
        for a in (2.71155556874348757815e-5, 1.24266094738807843860e-3, 2.65321895265761230930e-2,
                  2.96560571828504891230e-1, 1.78482653991729133580e0, 5.46378491116411436990e0,
                  6.65790464350110377720e0):  # fmt: skip
            upper = upper * r + a
        lower = 2.04426310338993978564e-15
        for b in (1.42151175831644588870e-7, 1.84631831751005468180e-5, 7.86869131145613259100e-4,
                  1.48753612908506148525e-2, 1.36929880922735805310e-1, 5.99832206555887937690e-1, 1.0):  # fmt: skip
            lower = lower * r + b
    return -upper / lower


@light
def student95(degrees: float) -> float:
    """95 % quantile of Student's distribution, to 0.007 from 3 degrees on (Abramowitz and Stegun 1964, 26.7.5)."""
    z2 = Z95 * Z95
    first = Z95 * (z2 + 1.0) / 4.0
    second = Z95 * ((5.0 * z2 + 16.0) * z2 + 3.0) / 96.0
    third = Z95 * (((3.0 * z2 + 19.0) * z2 + 17.0) * z2 - 15.0) / 384.0
    return Z95 + (first + (second + third / degrees) / degrees) / degrees
