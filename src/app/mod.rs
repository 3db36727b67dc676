//! Floor 6: one file for each verb; each wires the floors below it, and does nothing else. Knows no clap.

pub mod options;
