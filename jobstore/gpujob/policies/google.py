"""The roles for Google Cloud Storage: custom roles of the project, and their bindings on the bucket with conditions.

Documented, not tested: nothing here reaches the real service. Google asks for storage.objects.delete to overwrite, so
whoever may not delete below `done/` cannot change a result; for the same reason a role that replaces may delete there.
"""

from __future__ import annotations

from typing import Any

from gpujob.policies.roles import Role, Verb, folders, under

PERMISSIONS: dict[str, list[str]] = {
    "gpujobRead": ["storage.objects.get"],
    "gpujobList": ["storage.objects.list"],
    "gpujobCreate": [
        "storage.objects.create",
        "storage.multipartUploads.create",
        "storage.multipartUploads.abort",
        "storage.multipartUploads.listParts",
    ],
    "gpujobDelete": ["storage.objects.delete"],
    "gpujobBucket": ["storage.buckets.get"],
}
_VERBS: dict[str, tuple[Verb, ...]] = {
    "gpujobRead": ("get",),
    "gpujobCreate": ("create", "replace"),
    "gpujobDelete": ("replace", "delete"),
}


def custom_roles() -> dict[str, dict[str, Any]]:
    """The project's custom roles, in the form that `gcloud iam roles create NAME --file` takes. Made once a project."""
    return {
        name: {"title": name, "stage": "GA", "includedPermissions": permissions}
        for name, permissions in PERMISSIONS.items()
    }


def bindings(role: Role, bucket: str, prefix: str = "") -> list[dict[str, Any]]:
    """The bindings of one role on the bucket. PROJECT and MEMBER are to be filled in."""
    at = under(prefix)
    found = [_binding("gpujobList", f"names for a {role}", _listing(role, bucket, at))]
    for name, verbs in _VERBS.items():
        parts = folders(role, *verbs)
        if parts:
            found.append(_binding(name, f"objects for a {role}", _below(bucket, at, parts)))
    if role == "operator":
        found.append(_binding("gpujobBucket", "", ""))
    return found


def _listing(role: Role, bucket: str, at: str) -> str:
    """Listing is asked of the bucket, with the prefix as an attribute; for a single object the same right decides
    between missing and forbidden."""
    parts = folders(role, "list")
    if (at, parts) == ("", ("",)):
        return ""
    asked = 'api.getAttribute("storage.googleapis.com/objectListPrefix", "")'
    names = " || ".join(f'{asked}.startsWith("{at}{part}")' for part in parts)
    return f'{names} || resource.name.startsWith("{_object(bucket, at)}")'


def _below(bucket: str, at: str, parts: tuple[str, ...]) -> str:
    """The objects below these parts; a condition may have twelve operators, and there are twelve parts."""
    return " || ".join(f'resource.name.startsWith("{_object(bucket, at + part)}")' for part in parts)


def _object(bucket: str, key: str) -> str:
    return f"projects/_/buckets/{bucket}/objects/{key}"


def _binding(name: str, title: str, expression: str) -> dict[str, Any]:
    binding: dict[str, Any] = {"role": f"projects/PROJECT/roles/{name}", "members": ["MEMBER"]}
    return binding | ({"condition": {"title": title, "expression": expression}} if expression else {})
