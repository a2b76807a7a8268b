mod chaos;
pub(super) mod check;
mod order;
mod strategies;
mod walks;
mod world;
