//! The driver with a scripted world, on stopped time and a real journal.

mod astray;
mod driving;
mod fenced;
mod judged;
mod mirrors;
mod orders;
mod overhead;
mod theatre;
