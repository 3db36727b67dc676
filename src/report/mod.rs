//! Floor 5: from events to eyes and machines. Knows nothing of who runs, or how.

pub mod sanitize;
