//! Places that a run reaches beside this one. Who makes them, and by which way, is not known here.

use std::rc::Rc;

use crate::base::command::NotStarted;
use crate::exec::remote::RemoteTarget;
use crate::exec::{LocalFuture, Target};
use crate::xecfile::model::Host;

/// Makes places of hosts.
pub trait Reach {
    /// A host, as this user if one is said; without a host, this machine as that user. Nothing is connected before
    /// something runs there.
    ///
    /// # Errors
    /// Why there is no such place, in words.
    fn reach(&self, host: Option<&Host>, user: Option<&str>) -> Result<Rc<dyn Target>, String>;

    /// The same place as an end of copies.
    fn end(&self, host: Option<&Host>, user: Option<&str>) -> LocalFuture<'static, Result<RemoteTarget, NotStarted>>;

    /// Nothing more is to run on a host, as far as is known: what is kept open for it can go.
    fn release(&self, host: &Host);
}

const NO_WAY: &str = "there is no way to hosts here";

/// Reaches nothing.
pub struct Nowhere;

impl Reach for Nowhere {
    fn reach(&self, _: Option<&Host>, _: Option<&str>) -> Result<Rc<dyn Target>, String> {
        Err(NO_WAY.to_owned())
    }

    fn end(&self, _: Option<&Host>, _: Option<&str>) -> LocalFuture<'static, Result<RemoteTarget, NotStarted>> {
        Box::pin(async { Err(NotStarted::Failed(NO_WAY.to_owned())) })
    }

    fn release(&self, _: &Host) {}
}
