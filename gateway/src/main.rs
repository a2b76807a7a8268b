//! `cordboard`

fn main() {}
