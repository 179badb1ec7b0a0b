//! Holds JSON against a schema of the documents: as much of JSON Schema as those use.

use std::path::Path;

use serde_json::Value;

/// Checks a value against a schema file of the repository.
#[track_caller]
pub(crate) fn check(file: &str, value: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file);
    let text = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
    let root: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{file}: {error}"));
    if let Err(why) = matches(&root, &root, value) {
        panic!("not as {file} has it: {why}\n{value:#}");
    }
}

fn matches(root: &Value, schema: &Value, value: &Value) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = root.pointer(reference.trim_start_matches('#')).ok_or_else(|| format!("no {reference}"))?;
        return matches(root, target, value);
    }
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if let Some(wanted) = schema["type"].as_str().filter(|wanted| *wanted != kind) {
        return Err(format!("{kind} in the place of {wanted}"));
    }
    if schema["enum"].as_array().is_some_and(|known| !known.contains(value)) {
        return Err(format!("{value} is not one of {}", schema["enum"]));
    }
    let within = |name: &str, result: Result<(), String>| result.map_err(|why| format!("{name}: {why}"));
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        value.get(name).ok_or_else(|| format!("no {name}"))?;
    }
    for (name, member) in value.as_object().into_iter().flatten() {
        match schema["properties"].get(name) {
            Some(schema) => within(name, matches(root, schema, member))?,
            // A schema of ours names all there is; readers ignore what they do not know.
            None if schema["properties"].is_object() => return Err(format!("{name} is not described")),
            None => {}
        }
    }
    for (at, item) in value.as_array().into_iter().flatten().enumerate() {
        within(&at.to_string(), matches(root, &schema["items"], item))?;
    }
    Ok(())
}

#[test]
fn what_does_not_match_is_named() {
    let schema = serde_json::json!({"type": "object", "required": ["a"], "properties": {
        "a": {"type": "array", "items": {"$ref": "#/$defs/word"}}}, "$defs": {"word": {"enum": ["x"]}}});
    let check = |value: Value| matches(&schema, &schema, &value);
    assert_eq!(check(serde_json::json!({"a": ["x"]})), Ok(()));
    for (value, why) in [
        (serde_json::json!([]), "array in the place of object"),
        (serde_json::json!({}), "no a"),
        (serde_json::json!({"a": ["x", "y"]}), "a: 1: \"y\" is not one of [\"x\"]"),
        (serde_json::json!({"a": [], "b": 1}), "b is not described"),
    ] {
        assert_eq!(check(value), Err(why.to_owned()));
    }
}
