//! Are the arguments read as they are documented?

use std::time::Duration;

use super::*;

/// Every command at any depth, with what its `--help` ends with.
fn commands(of: &clap::Command, all: &mut Vec<(String, String)>) {
    for command in of.get_subcommands() {
        let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
        all.push((format!("{} {}", of.get_name(), command.get_name()), help));
        commands(command, all);
    }
}

#[test]
fn the_arguments_are_consistent_and_every_command_has_examples_of_itself() {
    Cli::command().debug_assert();
    let mut all = Vec::new();
    commands(&Cli::command(), &mut all);
    assert!(all.len() > 30, "{all:?}");
    for (name, help) in all {
        assert!(help.starts_with("Examples:\n"), "{name}");
        let name = name.strip_prefix("brokerctl ").unwrap_or(&name);
        assert!(help.contains(name), "none of {name} is among them: {help}");
    }
}

/// An example that is no usage would be worse than none.
#[test]
fn the_examples_are_read_as_they_stand() {
    let mut all = Vec::new();
    commands(&Cli::command(), &mut all);
    let mut tried = 0;
    for line in all.iter().flat_map(|(_, help)| help.lines()) {
        // What other programs make of one is theirs, and so is an explanation behind two spaces.
        let is_anothers = line.contains("--exec-arg") || line.contains("'!brokerctl");
        for example in line.split(" brokerctl ").skip(1).filter(|_| !is_anothers) {
            let example = example.split(['|', '>', '<', '\'', '&']).next().unwrap_or_default();
            let words = example.split("  ").next().unwrap_or_default().split_whitespace();
            let read = Cli::of(["brokerctl"].into_iter().chain(words));
            assert!(read.is_ok(), "{line}: {}", read.unwrap_err());
            tried += 1;
        }
    }
    assert!(tried > 50, "{tried}");
}

/// kubectl refuses a plugin of `v1` that does not say `interactiveMode`, and runs one with the arguments that it was given one by one.
#[test]
fn the_example_for_kubectl_makes_a_plugin_that_it_runs() {
    let mut all = Vec::new();
    commands(&Cli::command(), &mut all);
    let (_, help) = all.iter().find(|(name, _)| name == "helper kubernetes").unwrap();
    let example = help.lines().skip_while(|line| !line.contains("kubectl ")).take(2).collect::<Vec<_>>().join(" ");
    let words: Vec<_> = example.split_whitespace().collect();
    let values = |option| words.windows(2).filter(move |pair| pair[0] == option).map(|pair| pair[1]);
    assert_eq!(values("--exec-interactive-mode").collect::<Vec<_>>(), ["IfAvailable"], "{example}");
    let plugin = values("--exec-command").chain(values("--exec-arg"));
    assert!(matches!(Cli::try_parse_from(plugin).unwrap().command, Command::Helper(_)), "{example}");
}

#[test]
fn commands_are_read_as_documented() {
    let token = "brokerctl --socket /s get-token work -s a --scope b -a ada --min-validity 5m \
                 --force-refresh --claims {\"a\":1} --tenant t --resource r --audience u \
                 --param prompt=login --param hd=a=b --no-prompt --timeout 90 -o header";
    let cli = Cli::try_parse_from(token.split_whitespace()).unwrap();
    let Command::GetToken(options) = cli.command else { panic!() };
    assert_eq!(options.ask.scopes, ["a", "b"]);
    assert_eq!(options.ask.params[1], ("hd".to_owned(), "a=b".to_owned()));
    assert_eq!(options.terms.min_validity, Some(Duration::from_secs(300)));
    assert_eq!(options.ask.timeout, Some(Duration::from_secs(90)));
    assert_eq!(options.output, TokenFormat::Header);
    for line in [
        "login work -o json",
        "logout",
        "logout ada --profile work",
        "logout --all",
        "prompts",
        "prompts cancel p1 -o json",
        "prompts open",
        "status --watch -o json",
        "--prompt json login",
        "get-token --plain",
        "get-token work --prompt-elsewhere --timeout 8",
        "exec --env A=work --prompt-elsewhere --min-validity 5m -- true",
        "prompts --cancel p1",
        "watch -o json",
        "doctor --socket /s",
        "reload",
        "profile add work --provider entra --tenant t --client-id c -s User.Read --default --no-check",
        "profile add sso --issuer https://i --client-id c --param hd=a=b --pkce=false --replace -o json",
        "profile list",
        "service install",
        "service uninstall --force -o json",
        "service status -o json",
        "service logs -f -n 10",
        "completions powershell",
        "profile show",
        "profile show work -o json --config /c",
        "profile remove work --keep-accounts",
        "client-secret set google",
        "unlock -o json",
        "client-secret remove google -o json",
    ] {
        let arguments = ["brokerctl"].into_iter().chain(line.split(' '));
        Cli::try_parse_from(arguments).unwrap();
    }
    for line in [
        "get-token --claims []",
        "get-token --param prompt",
        "client-secret set google hunter2",
        "get-token --timeout soon",
        "profile",
        "profile add work --provider azure",
        "profile add --client-id c",
        "profile add work --client-secret hunter2",
        "logout ada --all",
        "logn",
        "get-token --plain --prompt json",
        "get-token --no-prompt --prompt-elsewhere",
    ] {
        let arguments = ["brokerctl"].into_iter().chain(line.split(' '));
        assert_eq!(Cli::try_parse_from(arguments).unwrap_err().exit_code(), 2, "{line}");
    }
}

#[test]
fn exec_refuses_what_would_be_for_no_token() {
    let read = |line: &str| Cli::of(["brokerctl"].into_iter().chain(line.split(' ')));
    let options =
        ["work", "-s a", "-a ada", "--claims {}", "--tenant t", "--resource r", "--audience u", "--param a=b"];
    for option in options {
        let error = read(&format!("exec {option} --env A=work --env B=sso:x -- true")).unwrap_err();
        assert_eq!(error.exit_code(), 2, "{option}: {error}");
        for with in ["--env A=work --env B", "--env A=work --azure", "--gcp", "--token-file --env A=work"] {
            assert!(read(&format!("exec {option} {with} -- true")).is_ok(), "{option} {with}");
        }
    }
    assert!(read("exec --timeout 5 --min-validity 5m --no-prompt --env A=work -- true").is_ok());
}

/// Every prompt's id begins with nothing.
#[test]
fn a_prompt_is_not_named_by_an_empty_id() {
    for line in ["prompts cancel ", "prompts --cancel ", "prompts open "] {
        let arguments = ["brokerctl"].into_iter().chain(line.split(' '));
        assert_eq!(Cli::try_parse_from(arguments).unwrap_err().exit_code(), 2, "{line:?}");
    }
}

/// clap would say how to pass it as another argument, which there is none of.
#[test]
fn a_negative_duration_is_told_what_a_duration_is() {
    for option in ["--timeout", "--min-validity"] {
        let error = Cli::try_parse_from(["brokerctl", "get-token", option, "-1"]).unwrap_err().to_string();
        assert!(error.contains("expected a number of seconds") && !error.contains("'-- -1'"), "{error}");
    }
}

#[test]
fn a_misspelt_command_or_option_is_suggested() {
    let error = Cli::try_parse_from(["brokerctl", "get-tokn"]).unwrap_err().to_string();
    assert!(error.contains("'get-token'"), "{error}");
    for (option, near) in [("--acount", "'--account'"), ("--no-promt", "'--no-prompt'"), ("--scopes", "'--scope'")] {
        let error = Cli::try_parse_from(["brokerctl", "get-token", option, "x"]).unwrap_err().to_string();
        assert!(error.contains(near), "{error}");
    }
}
