//! How the journal keeps files, for others that keep a record beside it.

use std::fs::{File, OpenOptions};
use std::path::Path;

use super::Operator;
use super::journal::{self, JournalError};

/// Takes a folder's lock or says who has it. It ends with the process, however that ends.
pub(crate) fn take_lock(folder: &Path, operator: &Operator) -> Result<File, JournalError> {
    journal::take_lock(folder, operator)
}

/// For its owner only.
pub(crate) fn private(options: &mut OpenOptions) -> &mut OpenOptions {
    journal::private(options)
}

/// Makes a folder and what is missing above it, all of it durable.
pub(crate) fn make_folders(path: &Path) -> std::io::Result<()> {
    journal::make_folders(path)
}

/// Makes the names in a folder durable.
pub(crate) fn sync_folder(path: &Path) -> std::io::Result<()> {
    journal::sync_folder(path)
}
