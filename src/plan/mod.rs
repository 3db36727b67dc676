//! Floor 2: from the file and a request to the frozen graph and scope tree of one run.
//! Knows nothing of processes, clocks or the terminal.
