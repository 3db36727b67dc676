//! What users see, by the public interface.

mod mutations;
mod problems;
