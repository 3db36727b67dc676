//! Small numbers for big arrays.

macro_rules! ids {
    ($($(#[doc = $doc:literal])+ $name:ident,)+) => {$(
        $(#[doc = $doc])+
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
        pub struct $name(pub u32);

        impl $name {
            /// As a place in an array.
            pub fn index(self) -> usize {
                self.0 as usize
            }
        }
    )+};
}

ids! {
    /// A vertex of the graph.
    VertexId,
    /// A scope of the tree.
    ScopeId,
    /// A leaf: something that is done.
    LeafId,
    /// A task's instance.
    InstanceId,
    /// Something of which only so many may be held at once.
    LimitId,
    /// A place where several arrive before anyone goes on.
    GateId,
    /// What lanes are fed with: their number is known, their items are not.
    FeedId,
    /// A host that steps run on.
    HostId,
    /// Hosts of which one is picked.
    PoolId,
    /// A task as it was lowered once for all of its instances.
    TaskDefId,
    /// A command as it was lowered once for all of its instances.
    CommandId,
}

impl ScopeId {
    /// The run itself: the root of the tree.
    pub const RUN: ScopeId = ScopeId(0);
}

impl LimitId {
    /// The `-j` slots, which only leaves take.
    pub const SLOTS: LimitId = LimitId(0);

    /// The limit at this place in the list of the file.
    pub fn of_file(place: usize) -> LimitId {
        LimitId(place as u32 + 1)
    }
}
