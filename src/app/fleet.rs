//! The hosts of a run: each by its way, made when something first runs there.

use std::cell::RefCell;
use std::collections::HashMap;
use std::num::NonZeroU8;
use std::rc::Rc;

use crate::base::command::NotStarted;
use crate::exec::broker::Link;
use crate::exec::containers::{Engine, Labelled};
use crate::exec::remote::RemoteTarget;
use crate::exec::ssh;
use crate::exec::{LocalFuture, Target};
use crate::run::hosts::Reach;
use crate::xecfile::model::{Host, Via};

/// By the name of the host, and the user there.
type Key = (Option<String>, Option<String>);

/// A place that was reached.
#[derive(Clone)]
enum Place {
    Known(RemoteTarget),
    /// Which one it is is asked when something first runs there.
    Labelled(Rc<Labelled>),
}

/// All that was reached so far.
pub(super) struct Fleet {
    link: Link,
    ssh: RefCell<Option<ssh::Fleet>>,
    places: RefCell<HashMap<Key, Place>>,
}

impl Fleet {
    pub(super) fn new(link: Link) -> Self {
        Self { link, ssh: RefCell::default(), places: RefCell::default() }
    }

    /// Ends all connections, and waits for that.
    pub(super) async fn close(&self) {
        self.places.borrow_mut().clear();
        let fleet = self.ssh.borrow_mut().take();
        if let Some(fleet) = fleet {
            fleet.close().await;
        }
    }

    fn make(&self, host: Option<&Host>, user: Option<&str>) -> Result<Place, String> {
        let here = || RemoteTarget::here(self.link.clone()).map_err(|why| why.to_string());
        let target = match host.map(|host| (host, &host.via)) {
            None | Some((_, Via::Local)) => here()?,
            Some((host, Via::Ssh)) => self.ssh(host)?,
            Some((host, Via::Docker { label })) => {
                let login = host.user.as_deref();
                match label {
                    Some(label) => return self.labelled(Engine::docker(), label, login, user),
                    None => Engine::docker().target(&self.link, name(host), login)?,
                }
            }
            Some((host, Via::Kubernetes { namespace, container, label })) => {
                let owned = |text: &Option<std::sync::Arc<str>>| text.as_deref().map(str::to_owned);
                let client = vec!["kubectl".into()];
                let engine = Engine::Kubernetes { client, namespace: owned(namespace), container: owned(container) };
                match label {
                    Some(label) => return self.labelled(engine, label, host.user.as_deref(), user),
                    None => engine.target(&self.link, name(host), host.user.as_deref())?,
                }
            }
        };
        Ok(match user {
            Some(user) => Place::Known(target.as_user(user)?),
            None => Place::Known(target),
        })
    }

    fn labelled(&self, engine: Engine, label: &str, login: Option<&str>, user: Option<&str>) -> Result<Place, String> {
        Ok(Place::Labelled(Rc::new(Labelled::new(self.link.clone(), engine, label, login, user))))
    }

    fn ssh(&self, host: &Host) -> Result<RemoteTarget, String> {
        let mut fleet = self.ssh.borrow_mut();
        if fleet.is_none() {
            let made = ssh::Fleet::new(self.link.clone(), ssh::Settings::default());
            *fleet = Some(made.map_err(|why| format!("there is no place for the connections: {why}"))?);
        }
        let Some(fleet) = fleet.as_mut() else { return Err("there is no place for the connections".to_owned()) };
        let mut described = ssh::Host::new(&*host.name.value);
        described.address = host.address.as_deref().map(str::to_owned);
        described.user = host.user.as_deref().map(str::to_owned);
        described.port = host.port;
        described.pool = host.pool.and_then(NonZeroU8::new).unwrap_or(described.pool);
        described.idle = host.idle.unwrap_or(described.idle);
        fleet.host(&described)
    }
}

/// What a container is called.
fn name(host: &Host) -> &str {
    host.address.as_ref().unwrap_or(&host.name.value)
}

impl Fleet {
    fn place(&self, host: Option<&Host>, user: Option<&str>) -> Result<Place, String> {
        let key = (host.map(|host| host.name.value.to_string()), user.map(str::to_owned));
        if let Some(place) = self.places.borrow().get(&key) {
            return Ok(place.clone());
        }
        let place = self.make(host, user)?;
        self.places.borrow_mut().insert(key, place.clone());
        Ok(place)
    }
}

impl Reach for Fleet {
    fn reach(&self, host: Option<&Host>, user: Option<&str>) -> Result<Rc<dyn Target>, String> {
        Ok(match self.place(host, user)? {
            Place::Known(target) => Rc::new(target),
            Place::Labelled(target) => target,
        })
    }

    fn end(&self, host: Option<&Host>, user: Option<&str>) -> LocalFuture<'static, Result<RemoteTarget, NotStarted>> {
        let place = self.place(host, user);
        Box::pin(async move {
            match place.map_err(NotStarted::Failed)? {
                Place::Known(target) => Ok(target),
                Place::Labelled(target) => target.found().await.cloned(),
            }
        })
    }
    fn release(&self, host: &Host) {
        if let Some(fleet) = &*self.ssh.borrow() {
            fleet.release(&host.name.value);
        }
    }
}
