//! The stream as a subscriber sees it.

mod gapless;
mod page;
