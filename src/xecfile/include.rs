//! One file and all that it includes, each read once, one after the other and never within one another; then
//! all of them checked as one. The IO of included files and of `dotenv`; no process is started, nothing written.

mod hosts;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet, VecDeque};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::base::diagnostic::{Code, Problem, Problems, Severity};
use crate::base::source::{SourceId, SourceMap, Span, Spanned};
use crate::xecfile::check::{self, Links, Texts};
use crate::xecfile::circle::circles;
use crate::xecfile::cursor::Reader;
use crate::xecfile::decode::{self, Dotenv, Include};
use crate::xecfile::load::{LARGEST, Loaded, clean, read_bytes};
use crate::xecfile::model::{FileId, FileScope, Host, Limit, Origin, Task, Xecfile};
use crate::xecfile::{dotenv, guard};

/// Files within files, at most.
const DEEPEST: usize = 64;
/// Files, at most.
const MOST_FILES: usize = 1000;
/// Bytes of all files together, at most.
const MOST_BYTES: usize = 16 << 20;

/// What has been read so far.
pub(super) struct Loading {
    /// Whether there is a disk to read other files from.
    disk: bool,
    sources: SourceMap,
    problems: Problems,
    broken: Vec<Vec<Range<usize>>>,
    files: Vec<FileScope>,
    links: Vec<Links>,
    limits: Vec<Limit>,
    hosts: Vec<Host>,
    tasks: Vec<Task>,
    /// The files by their true paths.
    known: HashMap<PathBuf, usize>,
    /// Which files include which, and where.
    edges: Vec<Vec<(usize, Span)>>,
    /// What is still to be read.
    queue: VecDeque<Waiting>,
    bytes: usize,
    /// All of each file could be understood.
    whole: bool,
    looked_for: Vec<PathBuf>,
}

/// A file that is known and not read yet.
struct Waiting {
    file: usize,
    shown: PathBuf,
    path: PathBuf,
    from: Span,
    depth: usize,
}

impl Loading {
    /// Reads the first file, whose bytes are there, and then the others.
    pub(super) fn start(shown: PathBuf, path: PathBuf, dir: PathBuf, bytes: Vec<u8>, disk: bool) -> Loaded {
        let mut loading = Self {
            disk,
            sources: SourceMap::default(),
            problems: Problems::default(),
            broken: Vec::new(),
            files: Vec::new(),
            links: Vec::new(),
            limits: Vec::new(),
            hosts: Vec::new(),
            tasks: Vec::new(),
            known: HashMap::new(),
            edges: Vec::new(),
            queue: VecDeque::new(),
            bytes: 0,
            whole: true,
            looked_for: vec![path.clone()],
        };
        let first = loading.place(if disk { true_path(&path) } else { path }, dir, None);
        if let Err(problem) =
            loading.text(&shown, bytes).map(|(source, text)| loading.read(first, source, &text, &shown, 0))
        {
            return Loaded { looked_for: loading.looked_for, ..Loaded::failed(loading.sources, problem) };
        }
        while let Some(next) = loading.queue.pop_front() {
            if loading.problems.is_full() {
                break;
            }
            loading.next(next);
        }
        loading.finish()
    }

    fn place(&mut self, path: PathBuf, dir: PathBuf, prefix: Option<Arc<str>>) -> usize {
        let file = self.files.len();
        self.known.insert(path, file);
        self.files.push(FileScope { dir, prefix: prefix.clone(), ..FileScope::default() });
        self.links.push(Links { prefix, includes: HashMap::new() });
        self.edges.push(Vec::new());
        file
    }

    /// One included file.
    fn next(&mut self, next: Waiting) {
        let bytes = match read_file(&next.path) {
            Ok(bytes) => bytes,
            Err(why) => {
                let message = format!("cannot read {}: {why}", next.shown.display());
                let problem = Problem::error(Code::FileUnreadable, message).at(next.from, "");
                let inside = next.path.join(crate::xecfile::load::FILE_NAME);
                self.whole = false;
                return self.problems.push(match inside.is_file() {
                    true => problem.help(format!("name the file in it: {}", next.shown.join("Xecfile.kdl").display())),
                    false => problem.help("the path is against the directory of this file"),
                });
            }
        };
        match self.text(&next.shown, bytes) {
            Ok((source, text)) => self.read(next.file, source, &text, &next.shown, next.depth),
            Err(mut problem) => {
                self.whole = false;
                if problem.labels.is_empty() {
                    problem = problem.at(next.from, "");
                }
                self.problems.push(problem);
            }
        }
    }

    /// From bytes to a text that may be looked at.
    fn text(&mut self, shown: &Path, bytes: Vec<u8>) -> Result<(SourceId, Arc<str>), Problem> {
        self.bytes += bytes.len();
        if bytes.len() > LARGEST {
            let message = format!("{} is larger than 1 MiB", shown.display());
            let help = "move what is generated, or long, into scripts of its own";
            return Err(Problem::error(Code::FileTooLarge, message).help(help));
        }
        if self.broken.len() > 2 * MOST_FILES {
            let message = format!("more than {} files are read", 2 * MOST_FILES);
            return Err(Problem::error(Code::TooDeep, message).help("include less"));
        }
        if self.bytes > MOST_BYTES {
            let message = format!("with {} all files together are larger than 16 MiB", shown.display());
            return Err(Problem::error(Code::FileTooLarge, message).help("include less"));
        }
        let text = match String::from_utf8(bytes) {
            Ok(text) => text,
            Err(why) => {
                let (start, bytes) = (why.utf8_error().valid_up_to(), why.into_bytes());
                // What cannot be read is shown as one character of three bytes.
                let source = self.add(shown, String::from_utf8_lossy(&bytes).into());
                let problem =
                    Problem::error(Code::FileNotText, format!("the byte 0x{:02x} is not UTF-8", bytes[start]));
                return Err(problem.at(place(source, start, 3), "").help("save the file as UTF-8"));
            }
        };
        let text: Arc<str> = text.into();
        let source = self.add(shown, text.clone());
        if let Some(at) = memchr::memchr(0, text.as_bytes()) {
            let problem = Problem::error(Code::FileNotText, "the file holds a NUL byte");
            return Err(problem.at(place(source, at, 1), "").help("is this a text file?"));
        }
        Ok((source, text))
    }

    fn add(&mut self, shown: &Path, text: Arc<str>) -> SourceId {
        self.broken.push(Vec::new());
        self.sources.add(shown, text)
    }

    /// What one file says; what it includes waits.
    fn read(&mut self, file: usize, source: SourceId, text: &str, shown: &Path, depth: usize) {
        let guarded = guard::guard(source, text);
        self.whole &= guarded.whole;
        let mut reader = Reader::new(source, text, &guarded.broken, std::mem::take(&mut self.problems));
        guarded.problems.into_vec().into_iter().for_each(|problem| reader.problems.push(problem));
        let decoded = decode::decode(&mut reader, &guarded.text, &guarded.nodes);
        self.problems = reader.problems;
        self.broken[usize::from(source.0)] = guarded.broken;
        let scope = &mut self.files[file];
        (scope.defaults, scope.env) = (decoded.defaults, decoded.env);
        (scope.lets, scope.secrets) = (decoded.lets, decoded.secrets);
        let prefix = scope.prefix.clone();
        self.limits.extend(decoded.limits);
        self.hosts.extend(decoded.hosts);
        let whole = |name: &mut Spanned<Arc<str>>| {
            if let Some(prefix) = &prefix {
                name.value = format!("{prefix}:{}", name.value).into();
            }
        };
        for mut task in decoded.tasks {
            task.file = FileId(u16::try_from(file).unwrap_or(u16::MAX));
            whole(&mut task.name);
            task.aliases.iter_mut().for_each(whole);
            self.tasks.push(task);
        }
        let folder = shown.parent().unwrap_or(Path::new("")).to_path_buf();
        for include in decoded.includes {
            self.include(file, &include, &folder, depth);
        }
        for inventory in &decoded.inventories {
            self.inventory(file, inventory, &folder);
        }
        for file_of_variables in decoded.dotenvs {
            self.dotenv(file, &file_of_variables, &folder);
        }
    }

    fn include(&mut self, file: usize, include: &Include, folder: &Path, depth: usize) {
        let from = include.path.span;
        if !self.disk {
            self.whole = false;
            let problem = Problem::error(Code::FileUnreadable, "a text that is no file includes none");
            return self.problems.push(problem.at(from, ""));
        }
        let path = clean(&self.files[file].dir.join(&*include.path.value));
        let name = include.name.as_ref().map(|name| name.value.clone());
        if let Some(name) = &include.name
            && self.links[file].includes.contains_key(&name.value)
        {
            let problem = Problem::error(Code::Duplicate, format!("two files are included as `{}`", name.value));
            return self.problems.push(problem.at(name.span, "the second one").help("give one of them another name"));
        }
        let key = true_path(&path);
        let target = match self.known.get(&key) {
            Some(target) => *target,
            None => {
                if let Some(problem) = self.too_many(depth) {
                    self.whole = false;
                    return self.problems.push(problem.at(from, "one too many"));
                }
                let outer = self.files[file].prefix.as_deref();
                let prefix = match (outer, &name) {
                    (Some(outer), Some(name)) => Some(Arc::from(format!("{outer}:{name}"))),
                    (None, Some(name)) => Some(name.clone()),
                    (outer, None) => outer.map(Arc::from),
                };
                let dir = path.parent().map(Path::to_path_buf).unwrap_or_default();
                let target = self.place(key, dir, prefix);
                let shown = clean_relative(&folder.join(&*include.path.value));
                self.looked_for.push(path.clone());
                self.queue.push_back(Waiting { file: target, shown, path, from, depth: depth + 1 });
                target
            }
        };
        self.edges[file].push((target, from));
        if let Some(name) = name {
            self.links[file].includes.insert(name, target);
        }
    }

    fn too_many(&self, depth: usize) -> Option<Problem> {
        if depth >= DEEPEST {
            return Some(Problem::error(Code::TooDeep, format!("files include each other more than {DEEPEST} deep")));
        }
        let many = self.files.len() >= MOST_FILES;
        many.then(|| Problem::error(Code::TooDeep, format!("more than {MOST_FILES} files are included")))
    }

    fn dotenv(&mut self, file: usize, dotenv: &Dotenv, folder: &Path) {
        if !self.disk {
            return;
        }
        let path = self.files[file].dir.join(&*dotenv.path.value);
        let shown = clean_relative(&folder.join(&*dotenv.path.value));
        self.looked_for.push(clean(&path));
        let bytes = match read_file(&path) {
            Ok(bytes) => bytes,
            Err(why) if why.kind() == std::io::ErrorKind::NotFound && dotenv.optional => return,
            Err(why) => {
                let message = format!("cannot read {}: {why}", shown.display());
                let problem = Problem::error(Code::FileUnreadable, message).at(dotenv.path.span, "");
                let help = "if it need not be there: dotenv … optional=#true";
                return self.problems.push(match why.kind() {
                    std::io::ErrorKind::NotFound => problem.help(help),
                    _ => problem,
                });
            }
        };
        match self.text(&shown, bytes) {
            Ok((source, text)) => {
                let (variables, problems) = dotenv::parse(source, &text);
                problems.into_iter().for_each(|problem| self.problems.push(problem));
                let all = &mut self.files[file].dotenv;
                all.extend(variables);
                let mut seen = HashSet::new();
                let mut last: Vec<_> = all.drain(..).rev().filter(|(name, _)| seen.insert(name.clone())).collect();
                last.reverse();
                *all = last;
            }
            Err(problem) if problem.labels.is_empty() => self.problems.push(problem.at(dotenv.path.span, "")),
            Err(problem) => self.problems.push(problem),
        }
    }

    fn finish(mut self) -> Loaded {
        self.hosts_of_ssh();
        let (files, problems) = (&self.files, &mut self.problems);
        circles(&self.edges, |circle| {
            let mut problem = Problem::error(Code::Cycle, "files include each other in a circle");
            for (_, span) in circle {
                problem = problem.at(*span, "in the circle");
            }
            problems.push(problem.help("remove one of these `include`s; `:x` names the task `x` of the first file"));
        });
        let mut texts = Texts::new(&self.sources, &self.broken, std::mem::take(problems));
        if self.whole {
            check::check(&mut texts, files, &self.links, &mut self.limits, &mut self.hosts, &mut self.tasks);
        }
        let mut problems = texts.problems.into_vec();
        problems.sort_by_key(|problem| problem.labels.first().map(|label| label.span));
        // Hosts alone are something to run a command on.
        let empty = self.tasks.is_empty() && self.hosts.iter().all(|host| host.origin == Origin::SshConfig);
        if problems.is_empty() && empty {
            let help = "write one: task hello { run \"echo hello\" }";
            let problem = Problem::error(Code::NoTasks, "the file holds no task").at(place(SourceId(0), 0, 0), "");
            problems.push(problem.help(help));
        }
        let failed = problems.iter().any(|problem| problem.severity == Severity::Error);
        let root = self.files.first().map(|file| file.dir.clone()).unwrap_or_default();
        let (sources, limits, hosts) = (self.sources.clone(), self.limits, self.hosts);
        let file = Xecfile { sources, root, files: self.files, limits, hosts, tasks: self.tasks };
        Loaded { file: (!failed).then_some(file), sources: self.sources, problems, looked_for: self.looked_for }
    }
}

/// Only files: anything else might never end, or never begin.
fn read_file(path: &Path) -> std::io::Result<Vec<u8>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(std::io::Error::other("it is not a file"));
    }
    read_bytes(path)
}

/// What tells whether two paths lead to one file.
fn true_path(path: &Path) -> PathBuf {
    std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())
}

/// Without `.`, and without `x/..`.
fn clean_relative(path: &Path) -> PathBuf {
    use std::path::Component;
    let mut out = PathBuf::new();
    for component in path.components() {
        let inner = matches!(out.components().next_back(), Some(Component::Normal(_)));
        match component {
            Component::ParentDir if inner => {
                out.pop();
            }
            Component::CurDir => {}
            other => out.push(other),
        }
    }
    out
}

fn place(source: SourceId, start: usize, length: usize) -> Span {
    let byte = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    Span { source, start: byte(start), end: byte(start + length) }
}
