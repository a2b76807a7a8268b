//! `cordboard trunk profiles`: what is known of carriers.

use std::process::ExitCode;

use crate::config::Profile;

/// The command: lists the profiles, or shows one.
///
/// # Errors
/// There is no profile of this name.
pub fn show(name: Option<&str>) -> Result<ExitCode, String> {
    let Some(name) = name else {
        for profile in Profile::all() {
            println!("{:12}  {}", profile.name, profile.title);
        }
        return Ok(ExitCode::SUCCESS);
    };
    let profile = Profile::find(name)?;
    println!("{}", profile.title);
    println!(
        "\n[[trunks]]\nname = \"{}\"\nprofile = \"{}\"",
        profile.name, profile.name
    );
    for (key, what) in &profile.needs {
        println!("{key} = …    # {what}");
    }
    for (key, what) in &profile.asks {
        println!("# {key} = …    # {what}");
    }
    let keys: Vec<&str> = profile.keys().collect();
    if !keys.is_empty() {
        println!("\nThe profile sets: {}", keys.join(", "));
    }
    if !profile.setup.is_empty() {
        println!("\nOn the carrier's side:");
    }
    for (n, step) in profile.setup.iter().enumerate() {
        println!("  {}. {step}", n + 1);
    }
    Ok(ExitCode::SUCCESS)
}
