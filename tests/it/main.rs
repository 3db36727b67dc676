//! What users see, by the public interface.

mod problems;
