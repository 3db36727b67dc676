//! Places that a run reaches beside this one. Who makes them, and by which way, is not known here.

use std::rc::Rc;

use crate::exec::Target;
use crate::xecfile::model::Host;

/// Makes places of hosts.
pub trait Reach {
    /// A host, as this user if one is said; without a host, this machine as that user. Nothing is connected before
    /// something runs there.
    ///
    /// # Errors
    /// Why there is no such place, in words.
    fn reach(&self, host: Option<&Host>, user: Option<&str>) -> Result<Rc<dyn Target>, String>;

    /// Nothing more is to run on a host, as far as is known: what is kept open for it can go.
    fn release(&self, host: &Host);
}

/// Reaches nothing.
pub struct Nowhere;

impl Reach for Nowhere {
    fn reach(&self, _: Option<&Host>, _: Option<&str>) -> Result<Rc<dyn Target>, String> {
        Err("there is no way to hosts here".to_owned())
    }

    fn release(&self, _: &Host) {}
}
