//! Where a thing stands in what the user wrote.

use std::path::{Path, PathBuf};
use std::sync::Arc;

/// One file that was read, by its place in [`SourceMap`].
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct SourceId(pub u16);

/// A range of bytes in one source.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Default)]
pub struct Span {
    /// The file.
    pub source: SourceId,
    /// First byte.
    pub start: u32,
    /// One past the last byte.
    pub end: u32,
}

/// A value with the place it was written at.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Spanned<T> {
    /// What.
    pub value: T,
    /// Where.
    pub span: Span,
}

impl<T> Spanned<T> {
    /// Pairs a value with its place.
    pub fn new(value: T, span: Span) -> Self {
        Self { value, span }
    }
}

/// One file as it was read.
#[derive(Clone, Debug)]
pub struct Source {
    /// The path as a user would write it from where xec was started.
    pub path: PathBuf,
    /// The whole text.
    pub text: Arc<str>,
    lines: Vec<u32>,
}

impl Source {
    /// The line of a byte, counted from 1.
    pub fn line(&self, byte: u32) -> u32 {
        u32::try_from(self.lines.partition_point(|start| *start <= byte)).unwrap_or(u32::MAX)
    }
}

/// Every file of one Xecfile, in the order they were read.
#[derive(Clone, Debug, Default)]
pub struct SourceMap {
    sources: Vec<Source>,
}

impl SourceMap {
    /// Adds a file and names it.
    pub fn add(&mut self, path: impl Into<PathBuf>, text: impl Into<Arc<str>>) -> SourceId {
        let text: Arc<str> = text.into();
        let newlines = memchr::memchr_iter(b'\n', text.as_bytes()).map(|at| at as u32 + 1);
        let lines = std::iter::once(0).chain(newlines).collect();
        self.sources.push(Source { path: path.into(), text, lines });
        SourceId((self.sources.len() - 1) as u16)
    }

    /// The file of an id that this map gave out.
    pub fn get(&self, id: SourceId) -> &Source {
        &self.sources[usize::from(id.0)]
    }

    /// The path of the file a span lies in, and its line.
    pub fn place(&self, span: Span) -> (&Path, u32) {
        let source = self.get(span.source);
        (&source.path, source.line(span.start))
    }

    /// All files, in the order they were read.
    pub fn iter(&self) -> impl Iterator<Item = &Source> {
        self.sources.iter()
    }
}
