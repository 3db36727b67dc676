//! Paths by their words alone: no file is looked at, so a link is a name like any other.

use std::os::unix::ffi::OsStrExt as _;
use std::path::{Component, Path, PathBuf};

/// Without `.` and `..`; what would lead out of the beginning of the path stays there.
pub fn clean(path: &Path) -> PathBuf {
    let mut clean = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => drop(clean.pop()),
            Component::CurDir => {}
            part => clean.push(part),
        }
    }
    clean
}

/// A path against a directory that it lies in.
pub fn inside(base: &Path, path: &Path) -> Option<PathBuf> {
    // Most paths are clean as they are, and this is asked of each one.
    let bytes = path.as_os_str().as_bytes();
    let is_clean =
        path.is_absolute() && !bytes.ends_with(b"/") && !bytes.windows(2).any(|two| matches!(two, b"/." | b"//"));
    if is_clean {
        return path.strip_prefix(base).ok().map(Path::to_owned);
    }
    clean(path).strip_prefix(base).ok().map(Path::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_read_word_by_word() {
        for (path, expected) in [("/a/./b/../c", "/a/c"), ("/../a", "/a"), ("a/../../b", "b"), ("/", "/")] {
            assert_eq!(clean(Path::new(path)), Path::new(expected), "{path}");
        }
        let base = Path::new("/p");
        assert_eq!(inside(base, Path::new("/p/x/../y")), Some(PathBuf::from("y")));
        assert_eq!(inside(base, Path::new("/p/../q")), None);
        assert_eq!(inside(base, Path::new("/pq")), None);
        for path in ["/p/x/.y", "/p/./x/.y", "/p//x/.y/", "/p/x/.y/.", "/q/../p/x/.y"] {
            let found = inside(base, Path::new(path));
            assert_eq!(found.as_deref().and_then(Path::to_str), Some("x/.y"), "{path}");
        }
        assert_eq!(inside(base, Path::new("p/x")), None);
    }
}
