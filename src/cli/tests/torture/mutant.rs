//! Mistakes that lifeboat could make, each made here on purpose by a layer around it: the checker has to find
//! every one of them. None is in the product's own code.

/// One mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mutant {
    /// The journal is not synced.
    NoSync,
    /// A failed sync is taken for a good one.
    SyncErrorIgnored,
    /// The journal says that it is written before it is.
    WritesLater,
    /// A mirror that has not answered is taken for one that holds the record.
    MirrorNotAwaited,
    /// Records are released by none of the mirrors.
    NothingReleased,
    /// The store takes no notice of `If-None-Match`.
    ConditionsIgnored,
    /// An object of somebody else is taken for our own.
    ForeignIsOurs,
    /// Our own object is taken for somebody else's.
    OursIsForeign,
    /// Nobody claims the group.
    NoEpoch,
    /// The group is looked at, and not claimed.
    EpochLookedAtOnce,
    /// A lost reply is taken for a failure.
    LostIsFailed,
    /// A lost reply is taken for success.
    LostIsDone,
    /// The client repeats a change by itself.
    ClientRepeats,
    /// Whoever looks after a lost reply finds that nothing was done.
    LooksAway,
    /// Whoever looks after a lost reply finds that it was done.
    LooksWishfully,
    /// A process goes on with its effects after it has lost the run.
    Zombie,
    /// Sites are said to refuse older epochs, and nobody told them.
    FenceNotRaised,
    /// The world is taken for what it was when the plan was made.
    BelievesThePlan,
}

impl Mutant {
    pub(super) const ALL: [Self; 18] = [
        Self::NoSync,
        Self::SyncErrorIgnored,
        Self::WritesLater,
        Self::MirrorNotAwaited,
        Self::NothingReleased,
        Self::ConditionsIgnored,
        Self::ForeignIsOurs,
        Self::OursIsForeign,
        Self::NoEpoch,
        Self::EpochLookedAtOnce,
        Self::LostIsFailed,
        Self::LostIsDone,
        Self::ClientRepeats,
        Self::LooksAway,
        Self::LooksWishfully,
        Self::Zombie,
        Self::FenceNotRaised,
        Self::BelievesThePlan,
    ];
}
