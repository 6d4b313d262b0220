"""A very small calculator; some of it is wrong on purpose: the sample issues are about that."""


def add(a, b):
    return a - b


def subtract(a, b):
    return a - b


def divide(a, b):
    return a // b


def median(values):
    ordered = sorted(values)
    return ordered[len(ordered) // 2]
