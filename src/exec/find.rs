//! Which file a command's first word means, and what an error of starting it means. Knows no processes.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::base::command::NotStarted;

/// Where programs are looked for if nothing says where.
const DEFAULT_PATH: &str = "/bin:/usr/bin";

/// The file of a program: a path as it is, against `cwd`; a name on `path`, as a shell would find it.
pub(crate) fn find(program: &OsStr, path: Option<&OsStr>, cwd: &Path) -> Result<OsString, NotStarted> {
    let shown = program.to_string_lossy();
    if program.is_empty() {
        return Err(NotStarted::Missing("the name of the program is empty".to_owned()));
    }
    if program.as_bytes().contains(&b'/') {
        return Ok(cwd.join(program).into_os_string());
    }
    let path = path.unwrap_or(OsStr::new(DEFAULT_PATH));
    let mut denied = false;
    // One place for all the names that are tried: most of them are not there.
    let mut file = OsString::with_capacity(path.len() + cwd.as_os_str().len() + program.len() + 2);
    for dir in path.as_bytes().split(|byte| *byte == b':') {
        file.clear();
        // An empty entry is the current directory, and so is what is relative.
        if dir.first() != Some(&b'/') {
            file.push(cwd);
            file.push("/");
        }
        file.push(OsStr::from_bytes(dir));
        if !file.as_bytes().ends_with(b"/") {
            file.push("/");
        }
        file.push(program);
        match fs::metadata(&file) {
            Ok(found) if found.is_file() && found.permissions().mode() & 0o111 != 0 => return Ok(file),
            Ok(found) if found.is_file() => denied = true,
            Ok(_) | Err(_) => {}
        }
    }
    if denied {
        return Err(NotStarted::Denied(format!("`{shown}`: is on PATH and may not be executed")));
    }
    Err(NotStarted::Missing(format!("`{shown}`: not found")))
}

/// Whether an error means that there is too much at once, and not that something is wrong.
pub(crate) fn is_scarcity(errno: i32) -> bool {
    matches!(errno, libc::EMFILE | libc::ENFILE | libc::EAGAIN | libc::ENOMEM | libc::ENOBUFS | libc::ENOSPC)
}

/// An error of something that a command needs, such as a pipe.
pub(crate) fn no_room(error: &io::Error) -> NotStarted {
    let text = describe(error);
    if error.raw_os_error().is_some_and(is_scarcity) { NotStarted::Scarce(text) } else { NotStarted::Failed(text) }
}

/// What the kernel's refusal to start `file` in `cwd` means. `shown` is how the user wrote it.
pub(crate) fn refusal(errno: i32, shown: &OsStr, file: &Path, cwd: &Path) -> NotStarted {
    let error = io::Error::from_raw_os_error(errno);
    let shown = shown.to_string_lossy();
    if is_scarcity(errno) {
        return NotStarted::Scarce(describe(&error));
    }
    if let Some(trouble) = trouble_with(cwd) {
        return NotStarted::Failed(format!("the directory `{}`: {trouble}", cwd.display()));
    }
    match errno {
        libc::ENOENT if file.exists() => NotStarted::Missing(format!("`{shown}`: its interpreter is not there")),
        libc::ENOENT | libc::ENOTDIR => NotStarted::Missing(format!("`{shown}`: not found")),
        libc::EACCES | libc::EPERM if file.is_dir() => NotStarted::Denied(format!("`{shown}`: is a directory")),
        libc::EACCES | libc::EPERM | libc::ETXTBSY => NotStarted::Denied(format!("`{shown}`: {}", describe(&error))),
        libc::E2BIG => NotStarted::Failed(format!("`{shown}`: its arguments and environment are too long")),
        libc::ECANCELED => NotStarted::Failed("the run is ending".to_owned()),
        _ => NotStarted::Failed(format!("`{shown}`: {}", describe(&error))),
    }
}

fn trouble_with(dir: &Path) -> Option<String> {
    match fs::metadata(dir) {
        Ok(found) if !found.is_dir() => Some("not a directory".to_owned()),
        Ok(_) => nix::unistd::access(dir, nix::unistd::AccessFlags::X_OK).err().map(|error| describe(&error.into())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some("not found".to_owned()),
        Err(error) => Some(describe(&error)),
    }
}

/// What the system says, as a part of a sentence.
pub(crate) fn describe(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(errno) => nix::Error::from_raw(errno).desc().to_lowercase(),
        None => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(program: &str, path: &str, cwd: &Path) -> Result<OsString, NotStarted> {
        find(OsStr::new(program), Some(OsStr::new(path)), cwd)
    }

    #[test]
    fn looks_like_a_shell() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for (name, mode) in [("a/tool", 0o755), ("b/tool", 0o644), ("b/data", 0o644), ("here", 0o755)] {
            fs::create_dir_all(at(name).parent().unwrap()).unwrap();
            fs::write(at(name), "").unwrap();
            fs::set_permissions(at(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        fs::create_dir_all(at("c/tool")).unwrap();
        let absolute = at("a").into_os_string().into_string().unwrap();
        // What is a directory, or may not be executed, does not end the search; relative entries start at cwd.
        assert_eq!(found("tool", "c:b:a", dir.path()), Ok(at("a/tool").into()));
        assert_eq!(found("tool", &absolute, Path::new("/")), Ok(at("a/tool").into()));
        assert_eq!(found("here", "a::b", dir.path()), Ok(at("here").into()));
        assert_eq!(found("x/y", "", dir.path()), Ok(at("x/y").into()));
        assert!(matches!(found("data", "a:b", dir.path()), Err(NotStarted::Denied(_))));
        assert_eq!(found("nope", "a:b", dir.path()), Err(NotStarted::Missing("`nope`: not found".into())));
        assert!(find(OsStr::new("sh"), None, dir.path()).is_ok());
    }
}
