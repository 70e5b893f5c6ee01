"""Seeded renderer of kerbside street scenes with exact ground truth.

World frame: metres, X along the driving direction of the near lane, Y to its left, Z up; the kerb of the berths is Y = 0.
Vehicle frame: origin on the ground below the middle of the footprint, x forward, y left, z up.
"""
