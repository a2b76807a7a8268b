use super::*;
use crate::tone::level_dbm0;
#[test]
fn placeholder() {
    let prompts = Prompts::built_in();
    for (clip, s) in &prompts.clips {
        println!("{clip:?} {} {:.1} {:?}", s.len(), level_dbm0(s), s.iter().map(|s| s.unsigned_abs()).max());
    }
}
