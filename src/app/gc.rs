//! Removes what is kept and not wanted any more.

use crate::app::Answer;
use crate::app::open::Opened;
use crate::app::options::Exit;
use crate::cache::gc::Collected;
use crate::cache::state::{self, NoState, State};
use crate::report::words;

pub(super) fn collect(limit: u64, opened: &Opened) -> Answer {
    let dir = state::place(&opened.file.root, std::env::var_os("XEC_STATE").as_deref());
    if !dir.exists() {
        return Answer::text("nothing is kept\n".to_owned());
    }
    match State::open(&dir, "").map_err(|NoState(why)| why).and_then(|state| state.collect(limit)) {
        Ok(done) => Answer::text(said(done)),
        Err(why) => Answer { out: String::new(), err: format!("xec: {why}\n"), exit: Exit::Code(1) },
    }
}

fn said(done: Collected) -> String {
    let removed = match done.removed {
        0 => "nothing was removed".to_owned(),
        1 => format!("1 file was removed, {}", words::size(done.freed)),
        many => format!("{many} files were removed, {}", words::size(done.freed)),
    };
    format!("{removed}; {} are kept\n", words::size(done.left))
}
