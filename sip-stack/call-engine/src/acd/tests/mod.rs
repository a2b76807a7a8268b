mod chaos;
pub(super) mod check;
mod order;
mod scenarios;
mod strategies;
mod world;
