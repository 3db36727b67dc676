//! Containers and pods: hosts behind the user's own `docker` or `kubectl`, whose configuration, contexts and rights
//! are theirs. Knows nothing of engines and clusters but how those two are asked.

use std::ffi::OsString;

use tokio::sync::OnceCell;

use crate::base::command::{CommandSpec, NotStarted};
use crate::exec::broker::Link;
use crate::exec::broker::link::Exit;
use crate::exec::broker::proto::Stdio;
use crate::exec::fd::Pipe;
use crate::exec::find::no_room;
use crate::exec::pump::{Destination, Pump};
use crate::exec::remote::RemoteTarget;
use crate::exec::remote::channel::start_client;
use crate::exec::{JobCx, LocalFuture, Running, Target};

/// How long a client may take to end, should xec be gone.
const GRACE: std::time::Duration = std::time::Duration::from_secs(1);

/// Whose containers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Engine {
    /// Docker, or whatever speaks as it does.
    Docker {
        /// The program and the options that come first: `docker`. Never empty.
        client: Vec<OsString>,
    },
    /// Kubernetes.
    Kubernetes {
        /// The program and the options that come first: `kubectl`. Never empty.
        client: Vec<OsString>,
        /// If not the one of the client's context.
        namespace: Option<String>,
        /// Which one of a pod, if not its first.
        container: Option<String>,
    },
}

impl Engine {
    /// By `docker` on PATH.
    pub fn docker() -> Self {
        Engine::Docker { client: vec!["docker".into()] }
    }

    /// By `kubectl` on PATH, in the namespace of its context.
    pub fn kubernetes() -> Self {
        Engine::Kubernetes { client: vec!["kubectl".into()], namespace: None, container: None }
    }

    /// The container or pod of that name, as a place where commands run; as a user of the container's, if one is said
    /// (docker only: a pod has one user).
    ///
    /// # Errors
    /// What is wrong with a name, in words for the user; or there is no randomness to be had.
    pub fn target(&self, link: &Link, name: &str, user: Option<&str>) -> Result<RemoteTarget, String> {
        RemoteTarget::through(link.clone(), self.words(name, user)?).map_err(|error| error.to_string())
    }

    fn words(&self, name: &str, user: Option<&str>) -> Result<Vec<OsString>, String> {
        check("container", name)?;
        let mut words = self.client().to_vec();
        words.extend(["exec", "-i"].map(OsString::from));
        match self {
            Engine::Docker { .. } => {
                if let Some(user) = user {
                    check("user", user)?;
                    words.extend(["-u".into(), user.into()]);
                }
                words.push(name.into());
            }
            Engine::Kubernetes { container, .. } => {
                if user.is_some() {
                    return Err("a pod has one user, which `kubectl exec` cannot change".to_owned());
                }
                words.extend(self.namespace()?);
                if let Some(container) = container {
                    check("container", container)?;
                    words.extend(["-c".into(), container.into()]);
                }
                words.extend([name.into(), "--".into()]);
            }
        }
        words.extend(["sh", "-c"].map(OsString::from));
        Ok(words)
    }

    /// Those that run now and carry these labels (`app=web`, or `app=web,tier!=db` for pods), in the order of their
    /// names.
    ///
    /// # Errors
    /// What is wrong with the labels, or what the client said.
    pub async fn find(&self, link: &Link, labels: &str) -> Result<Vec<String>, NotStarted> {
        let words = self.question(labels).map_err(NotStarted::Failed)?;
        let said = ask(link, &words).await?;
        let mut names: Vec<String> = said.lines().map(str::trim).filter(|name| !name.is_empty()).map(bare).collect();
        names.sort_unstable();
        Ok(names)
    }

    fn question(&self, labels: &str) -> Result<Vec<OsString>, String> {
        if labels.is_empty() || labels.starts_with('-') || labels.chars().any(char::is_control) {
            return Err(format!("`{}` cannot be a selector of labels", labels.escape_debug()));
        }
        let mut words = self.client().to_vec();
        match self {
            Engine::Docker { .. } => {
                words.extend(["ps", "--format", "{{.Names}}"].map(OsString::from));
                for label in labels.split(',') {
                    words.extend(["--filter".into(), format!("label={label}").into()]);
                }
            }
            Engine::Kubernetes { .. } => {
                words.extend(["get", "pods"].map(OsString::from));
                words.extend(self.namespace()?);
                words.extend(["-o", "name", "--field-selector", "status.phase=Running", "-l"].map(OsString::from));
                words.push(labels.into());
            }
        }
        Ok(words)
    }

    fn client(&self) -> &[OsString] {
        let (Engine::Docker { client } | Engine::Kubernetes { client, .. }) = self;
        client
    }

    fn namespace(&self) -> Result<Vec<OsString>, String> {
        match self {
            Engine::Kubernetes { namespace: Some(namespace), .. } => {
                check("namespace", namespace)?;
                Ok(vec!["-n".into(), namespace.into()])
            }
            _ => Ok(Vec::new()),
        }
    }
}

/// The first container or pod that carries some labels when something first runs there.
pub struct Labelled {
    link: Link,
    engine: Engine,
    labels: String,
    login: Option<String>,
    user: Option<String>,
    found: OnceCell<RemoteTarget>,
}

impl Labelled {
    /// With these labels; who logs in, and as whom commands run.
    pub fn new(link: Link, engine: Engine, labels: &str, login: Option<&str>, user: Option<&str>) -> Self {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        let (login, user) = (owned(login), owned(user));
        Self { link, engine, labels: labels.to_owned(), login, user, found: OnceCell::new() }
    }

    /// Which one it is.
    ///
    /// # Errors
    /// There is none, or its client cannot say.
    pub async fn found(&self) -> Result<&RemoteTarget, NotStarted> {
        self.found.get_or_try_init(|| self.find()).await
    }

    async fn find(&self) -> Result<RemoteTarget, NotStarted> {
        let names = self.engine.find(&self.link, &self.labels).await?;
        let none = || NotStarted::Unreachable(format!("nothing that runs carries the label `{}`", self.labels));
        let target = self.engine.target(&self.link, names.first().ok_or_else(none)?, self.login.as_deref());
        let target = target.and_then(|target| match &self.user {
            Some(user) => target.as_user(user),
            None => Ok(target),
        });
        target.map_err(NotStarted::Failed)
    }
}

impl Target for Labelled {
    fn start<'a>(&'a self, spec: CommandSpec, cx: JobCx) -> LocalFuture<'a, Result<Running, NotStarted>> {
        Box::pin(async move { self.found().await?.start(spec, cx).await })
    }
}

/// What both engines allow in a name, and a little more.
fn check(what: &str, name: &str) -> Result<(), String> {
    let fits = |character: char| character.is_ascii_alphanumeric() || "._-:/".contains(character);
    if name.is_empty() || name.starts_with('-') || !name.chars().all(fits) {
        return Err(format!("`{}` cannot be the name of a {what}", name.escape_debug()));
    }
    Ok(())
}

/// `pod/web-1` is what `kubectl` calls it.
fn bare(name: &str) -> String {
    name.strip_prefix("pod/").unwrap_or(name).to_owned()
}

/// What a client answers.
async fn ask(link: &Link, words: &[OsString]) -> Result<String, NotStarted> {
    let pipe = || Pipe::to_read().map_err(|error| no_room(&error));
    let (stdout, stderr) = (pipe()?, pipe()?);
    let held = |pipe| Pump::new(pipe, Destination::Held(Vec::new()));
    let stdio = [Stdio::Null, Stdio::Passed, Stdio::Passed];
    let process = start_client(link, words, stdio, vec![stdout.theirs, stderr.theirs], GRACE).await?;
    let (mut stdout, mut stderr) = (held(stdout.ours), held(stderr.ours));
    let (_, _, exit) = tokio::join!(stdout.run(), stderr.run(), process.exit);
    if !matches!(exit, Ok(Exit::Status(0, _))) {
        let said = String::from_utf8_lossy(stderr.held()).into_owned();
        let line = said.lines().rev().map(str::trim).find(|line| !line.is_empty());
        let name = words.first().map(|word| word.to_string_lossy().into_owned()).unwrap_or_default();
        return Err(NotStarted::Unreachable(format!("{name}: {}", line.unwrap_or("ended without a word"))));
    }
    Ok(String::from_utf8_lossy(stdout.held()).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(words: Vec<OsString>) -> String {
        words.join(OsString::from(" ").as_os_str()).into_string().unwrap()
    }

    #[test]
    fn the_words_for_either_client() {
        let docker = Engine::docker();
        assert_eq!(line(docker.words("web1", None).unwrap()), "docker exec -i web1 sh -c");
        assert_eq!(line(docker.words("web1", Some("app:app")).unwrap()), "docker exec -i -u app:app web1 sh -c");
        assert_eq!(
            line(docker.question("app=web,tier=front").unwrap()),
            "docker ps --format {{.Names}} --filter label=app=web --filter label=tier=front"
        );
        let pods = Engine::Kubernetes {
            client: vec!["kubectl".into(), "--context=test".into()],
            namespace: Some("shop".to_owned()),
            container: Some("app".to_owned()),
        };
        assert_eq!(
            line(pods.words("web-1", None).unwrap()),
            "kubectl --context=test exec -i -n shop -c app web-1 -- sh -c"
        );
        assert_eq!(
            line(pods.question("app=web").unwrap()),
            "kubectl --context=test get pods -n shop -o name --field-selector status.phase=Running -l app=web"
        );
        assert_eq!(line(Engine::kubernetes().words("web-1", None).unwrap()), "kubectl exec -i web-1 -- sh -c");
    }

    #[test]
    fn names_that_would_be_something_else_are_refused() {
        let docker = Engine::docker();
        for name in ["", "-it", "a b", "a;b", "$(x)", "a\nb"] {
            assert!(docker.words(name, None).is_err(), "{name:?}");
            assert!(docker.words("web1", Some(name)).is_err(), "{name:?}");
        }
        assert!(docker.question("-f").is_err());
        assert!(Engine::kubernetes().words("web-1", Some("me")).is_err());
    }
}
