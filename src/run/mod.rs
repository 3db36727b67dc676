//! Floor 4: a plan and targets in, events and a verdict out. Knows nothing of printing, nor of KDL.
