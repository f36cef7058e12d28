"""Keeps answers in time: a gate before the funnel, a knob on its size, a plan by measured costs."""
