//! Backups as a person asks for them: which there are, what is in one, whether it is whole, what has
//! changed since. Everything here reads.
//!
//! Making a backup is an effect like any other; what takes one away is [`crate::world::Keeper`].
//!
//! ## Why
//!
//! - [`Library`] holds a whole [`World`] and lets nobody at it: it offers what looks, and nothing else.
//!   A command that has a library cannot write, whatever it does with it.
//! - What is believed of a backup is what `catalog` believes, because that is what a restore will go
//!   by. The small files say more, and each thing that they say is told as theirs.

mod card;
mod contents;
pub(super) mod objects;
mod verify;

pub use card::{Card, Held as LockHeld, Origin, State, Writer};
pub use contents::Contents;
pub use objects::{Held, Wanted};
pub use verify::{Verdict, Verification};

use super::older::Lost;
use super::{World, older};
use crate::effect::WorldError;

/// Stores, and perhaps a site, to look at.
pub struct Library {
    world: World,
}

impl Library {
    /// Of a world, of which it shows the reading half.
    pub fn of(world: World) -> Self {
        Self { world }
    }

    /// The names of all stores.
    pub fn stores(&self) -> Vec<&str> {
        self.world.stores.keys().map(String::as_str).collect()
    }

    /// Where a store is, for people.
    ///
    /// # Errors
    ///
    /// `WrongTarget`: there is no such store.
    pub fn address(&self, store: &str) -> Result<String, WorldError> {
        Ok(self.world.store(store)?.address())
    }

    /// Every backup of a store, the oldest first; those whose age is not known before all others.
    ///
    /// # Errors
    ///
    /// The store's: it could not be listed. What is wrong with one backup is on its card.
    pub async fn list(&self, store: &str) -> Result<Vec<Card>, WorldError> {
        card::all_cards(&*self.world.store(store)?, store, (self.world.now)()).await
    }

    /// The backups of a store that keeps versions which lie under delete markers.
    ///
    /// # Errors
    ///
    /// The store's: it could not be listed.
    pub async fn lost(&self, store: &str) -> Result<Vec<Lost>, WorldError> {
        older::lost(&*self.world.store(store)?).await
    }

    /// What one backup says of itself.
    ///
    /// # Errors
    ///
    /// `NotFound`: there is nothing of this name. The store's.
    pub async fn show(&self, store: &str, name: &str) -> Result<Contents, WorldError> {
        contents::contents(&*self.world.store(store)?, store, name, (self.world.now)()).await
    }

    /// Reads all of a backup and holds it against its manifest, object by object.
    ///
    /// # Errors
    ///
    /// `NotFound`: there is nothing of this name. The store's. What is wrong with it is in the answer.
    pub async fn verify(&self, store: &str, name: &str) -> Result<Verification, WorldError> {
        verify::reread(&*self.world.store(store)?, name).await
    }

    /// The objects of a backup, as somebody would have written them.
    ///
    /// # Errors
    ///
    /// `NotFound`, `Damaged`: there is no such backup, or it is not what was written.
    pub async fn objects(&self, store: &str, name: &str) -> Result<Held, WorldError> {
        objects::of_backup(&*self.world.store(store)?, name, &[]).await
    }

    /// The same of a live site: what of it a backup like that one would hold now.
    ///
    /// # Errors
    ///
    /// The site's: what could not be read completely is not compared.
    pub async fn live(&self, site: &str, like: &Held) -> Result<Held, WorldError> {
        objects::of_site(&self.world.site(site)?, &like.wanted).await
    }
}
