//! The engine's rules one by one (`forward`, `people`, `ends`, `crash`), and all of them at once over random
//! runs (`property`).

mod crash;
mod ends;
mod forward;
mod login;
mod oracle;
mod people;
mod play;
mod property;
mod risks;
mod simulator;
mod verbs;
