//! Floor 7: what was typed. Knows nothing of graphs.
