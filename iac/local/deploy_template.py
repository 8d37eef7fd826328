"""Read template.yaml as a plain dictionary and point its local paths at uploaded artifacts.

This is `sam package` without a build: CodeUri, ContentUri and TemplateURL become S3 locations.
"""

import copy
from collections.abc import Iterator, Mapping
from typing import Any

import yaml

Template = dict[str, Any]

FUNCTION = "AWS::Serverless::Function"
LAYER = "AWS::Serverless::LayerVersion"
NESTED_STACK = "AWS::CloudFormation::Stack"
API = "AWS::Serverless::Api"


class TemplateInvalid(Exception):
    """template.yaml says something that cannot be deployed."""


class _TagReader(yaml.SafeLoader):
    """Reads short intrinsic tags in their long form, so that the result is plain JSON."""


def _read_tag(loader: _TagReader, tag: str, node: yaml.Node) -> dict[str, Any]:
    name = tag if tag in {"Ref", "Condition"} else f"Fn::{tag}"
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        return {name: str(value).split(".", 1) if tag == "GetAtt" else value}
    if isinstance(node, yaml.SequenceNode):
        return {name: loader.construct_sequence(node, deep=True)}
    assert isinstance(node, yaml.MappingNode)
    return {name: loader.construct_mapping(node, deep=True)}


_TagReader.add_multi_constructor("!", _read_tag)


def read_template(text: str) -> Template:
    """Parse a CloudFormation template; intrinsic functions come out in their long form."""
    template = yaml.load(text, Loader=_TagReader)  # noqa: S506 - a SafeLoader with tags
    if not isinstance(template, dict) or "Resources" not in template:
        raise TemplateInvalid("the template has no Resources")
    return template


def list_resources(template: Template, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (logical id, properties) of every resource of this type, as written."""
    for name, resource in template["Resources"].items():
        if resource["Type"] == kind:
            yield name, resource.get("Properties", {})


def read_room(template: Template, function: str) -> str:
    """Return the room whose code a function runs: `functions.<room>.api.handler`."""
    handler = str(template["Resources"][function]["Properties"]["Handler"])
    parts = handler.split(".")
    if len(parts) < 3 or parts[0] != "functions":
        raise TemplateInvalid(f"{function}: the handler {handler!r} is not functions.<room>...")
    return parts[1]


def locate_artifacts(
    template: Template,
    rooms: Mapping[str, str],
    layers: Mapping[str, str],
    nested: Mapping[str, str],
) -> Template:
    """Return the template with every local path replaced.

    `rooms` gives each room's code, `layers` each layer's content (by logical id) as `s3://` URIs,
    `nested` each nested template's URL by its path.
    """
    located = copy.deepcopy(template)
    located.get("Globals", {}).get("Function", {}).pop("CodeUri", None)
    for name, properties in list_resources(located, FUNCTION):
        properties["CodeUri"] = rooms[read_room(template, name)]
    for name, properties in list_resources(located, LAYER):
        properties["ContentUri"] = layers[name]
    for _, properties in list_resources(located, NESTED_STACK):
        properties["TemplateURL"] = nested[properties["TemplateURL"]]
    return located
