//! The `xec` command: words in, a process code out. The only place that ends the process.

use std::io::{self, Write as _};
use std::process::ExitCode;

use xec::app::options::{Exit, Verb};
use xec::app::{self, Answer};
use xec::cli::args::{self, Early};
use xec::exec::{broker, signals};
use xec::report::setup;

fn main() -> ExitCode {
    signals::ignore_file_size_limit();
    let answer = match args::parse(std::env::args_os(), &|name| std::env::var_os(name)) {
        Ok(options) => match (options.verb == Verb::Run).then(broker::fork).transpose() {
            Ok(broker) => app::answer(&options, broker),
            Err(why) => Answer { out: String::new(), err: format!("xec: cannot fork: {why}\n"), exit: Exit::Code(1) },
        },
        Err(Early::Text(out)) => Answer { out, err: String::new(), exit: Exit::Code(0) },
        Err(Early::Usage(err)) => Answer { out: String::new(), err, exit: Exit::Code(2) },
    };
    // Where not even stderr can be written there is nobody left to tell.
    let _ = io::stderr().write_all(answer.err.as_bytes());
    match (print(&answer.out), answer.exit) {
        (Err(why), Exit::Code(0)) => {
            let _ = writeln!(io::stderr(), "xec: cannot write output: {why}");
            ExitCode::FAILURE
        }
        (_, Exit::Code(code)) => ExitCode::from(u8::try_from(code).unwrap_or(1)),
        (_, Exit::Signal(signal)) => {
            signals::die_of(signal);
            ExitCode::from(u8::try_from(128 + signal).unwrap_or(1))
        }
    }
}

fn print(text: &str) -> io::Result<()> {
    if text.is_empty() {
        return Ok(());
    }
    let mut stdout = setup::stdout()?;
    stdout.write_all(text.as_bytes())?;
    stdout.flush()
}
