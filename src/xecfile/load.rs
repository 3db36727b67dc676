//! Finding and reading the file: the only IO of this floor. No process is started, nothing is written.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use crate::base::diagnostic::{Code, Problem, Problems, Severity};
use crate::base::source::{SourceId, SourceMap, Span};
use crate::xecfile::cursor::Reader;
use crate::xecfile::model::Xecfile;
use crate::xecfile::{check, decode, guard};

/// The name that is looked for.
pub const FILE_NAME: &str = "Xecfile.kdl";

/// The largest file.
pub const LARGEST: usize = 1 << 20;

/// A file, or why there is none.
#[derive(Clone, Debug, Default)]
pub struct Loaded {
    /// What the file says; there is none if one of the problems is an error.
    pub file: Option<Xecfile>,
    /// Every file that could be read, whatever was in it.
    pub sources: SourceMap,
    /// What is wrong, in the order of the file; warnings too.
    pub problems: Vec<Problem>,
}

impl Loaded {
    fn failed(sources: SourceMap, problem: Problem) -> Self {
        Self { file: None, sources, problems: vec![problem] }
    }
}

/// Reads `file`, against `dir`, else the nearest `Xecfile.kdl` in `dir` or above it.
pub fn load(dir: &Path, file: Option<&Path>) -> Loaded {
    let here = std::path::absolute(dir).unwrap_or_else(|_| dir.to_path_buf());
    let (shown, path) = match file {
        Some(file) => (file.to_path_buf(), here.join(file)),
        None => match find(&here) {
            Some(found) => found,
            None => return Loaded::failed(SourceMap::default(), not_found(&here)),
        },
    };
    let shown = shown.strip_prefix(&here).unwrap_or(&shown).to_path_buf();
    match read_bytes(&path) {
        Ok(bytes) => {
            let path = std::path::absolute(&path).unwrap_or(path);
            let root = path.parent().map(Path::to_path_buf).unwrap_or_default();
            read_source(shown, clean(&root), bytes)
        }
        Err(why) => {
            let problem = Problem::error(Code::FileUnreadable, format!("cannot read {}: {why}", shown.display()));
            Loaded::failed(SourceMap::default(), problem)
        }
    }
}

/// Reads a text as if it were a file in the current directory: no IO at all.
pub fn read(text: &str) -> Loaded {
    read_source(PathBuf::from(FILE_NAME), PathBuf::new(), text.as_bytes().to_vec())
}

/// The nearest file: as a user would write it from `here`, and whole.
fn find(here: &Path) -> Option<(PathBuf, PathBuf)> {
    let paths = here.ancestors().map(|dir| dir.join(FILE_NAME));
    let (above, path) = paths.enumerate().find(|(_, path)| path.is_file())?;
    let mut shown: PathBuf = std::iter::repeat_n("..", above).collect();
    shown.push(FILE_NAME);
    Some((shown, path))
}

fn not_found(here: &Path) -> Problem {
    let problem = Problem::error(Code::FileUnreadable, format!("no {FILE_NAME} in {} or above it", here.display()));
    let misnamed =
        ["Xecfile", "xecfile", "xecfile.kdl", "XECFILE.kdl"].into_iter().find(|name| here.join(name).is_file());
    problem.help(match misnamed {
        Some(name) => format!("there is a file `{name}`: rename it, or use -f {name}"),
        None => "name a file with -f, or a directory with -C".to_owned(),
    })
}

/// Without `.` and `..`, as far as that can be told from the path alone.
fn clean(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut out = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir if out.parent().is_some() => {
                out.pop();
            }
            Component::CurDir => {}
            other => out.push(other),
        }
    }
    out
}

/// One byte more than is allowed, at most.
fn read_bytes(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}

fn read_source(shown: PathBuf, root: PathBuf, bytes: Vec<u8>) -> Loaded {
    let mut sources = SourceMap::default();
    if bytes.len() > LARGEST {
        let message = format!("{} is larger than 1 MiB", shown.display());
        let help = "move what is generated, or long, into scripts of its own";
        return Loaded::failed(sources, Problem::error(Code::FileTooLarge, message).help(help));
    }
    let text = match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(why) => {
            let (start, bytes) = (why.utf8_error().valid_up_to(), why.into_bytes());
            // What cannot be read is shown as one character of three bytes.
            let source = sources.add(shown, String::from_utf8_lossy(&bytes));
            let problem = Problem::error(Code::FileNotText, format!("the byte 0x{:02x} is not UTF-8", bytes[start]));
            return Loaded::failed(sources, problem.at(place(source, start, 3), "").help("save the file as UTF-8"));
        }
    };
    let source = sources.add(shown, text.as_str());
    if let Some(at) = memchr::memchr(0, text.as_bytes()) {
        let problem = Problem::error(Code::FileNotText, "the file holds a NUL byte");
        return Loaded::failed(sources, problem.at(place(source, at, 1), "").help("is this a text file?"));
    }
    read_text(sources, source, root, &text)
}

fn place(source: SourceId, start: usize, length: usize) -> Span {
    let byte = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Span { source, start: byte(start), end: byte(start + length) }
}

fn read_text(sources: SourceMap, source: SourceId, root: PathBuf, text: &str) -> Loaded {
    let guarded = guard::guard(source, text);
    let mut reader = Reader::new(source, text, &guarded.broken, Problems::default());
    for problem in guarded.problems.into_vec() {
        reader.problems.push(problem);
    }
    let mut decoded = decode::decode(&mut reader, &guarded.text, &guarded.nodes);
    if guarded.whole {
        check::check(&mut reader, &mut decoded);
    }
    let mut problems = reader.problems.into_vec();
    problems.sort_by_key(|problem| problem.labels.first().map(|label| label.span));
    if problems.is_empty() && decoded.tasks.is_empty() {
        let help = "write one: task hello { run \"echo hello\" }";
        problems.push(Problem::error(Code::NoTasks, "the file holds no task").at(place(source, 0, 0), "").help(help));
    }
    let failed = problems.iter().any(|problem| problem.severity == Severity::Error);
    let decode::Decoded { defaults, env, tasks } = decoded;
    let file = Xecfile { sources: sources.clone(), root, defaults, env, tasks };
    Loaded { file: (!failed).then_some(file), sources, problems }
}
