"""GET /v1/customers/{id}, and who is known by an address."""

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from onethread.event import Claim
from onethread.identity import KNOWN_IDENTITY, canonicalised
from unifier.api import schemas
from unifier.api.answers import one, page
from unifier.api.guard import Asking, Guarded, Parts, needs
from unifier.api.parameters import Id
from unifier.api.problems import not_found
from unifier.reading import identity_of

router = APIRouter(prefix="/v1/customers", tags=["customers"], route_class=Guarded)


@router.get("/{customer_id}", response_model=schemas.Customer, openapi_extra=needs("customers:read"))
async def get_customer(request: Request, caller: Asking, parts: Parts, customer_id: Id) -> Response:
    """A person: identities with their evidence, and the links between them. A merged id answers with the survivor."""
    root = await parts.reader.customer(caller.tenant, customer_id)
    document = (await parts.reader.customers([root])).get(root) if root else None
    if document is None:
        raise not_found()
    return one(request, document, version=document.version, location=f"/v1/customers/{document.id}")


@router.post("/lookup", response_model=schemas.LookupAnswer, openapi_extra=needs("customers:read"))
async def lookup_customers(request: Request, caller: Asking, parts: Parts, asked: schemas.Lookup) -> Response:
    """The customer of each address, in the order asked, null where nobody is known by it. It changes nothing."""
    ids = [_identity(caller.tenant, item) for item in asked.items]
    known = await parts.reader.people(one_id for one_id in ids if one_id)
    customers = await parts.reader.customers({person.customer for person in known.values()})
    items = [customers.get(known[one_id].customer) if one_id in known else None for one_id in ids]
    return page(request, schemas.LookupAnswer(items=items), None)


def _identity(tenant: str, asked: schemas.AddressAsked) -> str:
    """The scoped identity of an address, "" for one that says nothing (or would name an identity by its id)."""
    claim = canonicalised(Claim(asked.type, asked.value, asked.scope))
    return identity_of(tenant, claim) if claim.canonical and claim.type != KNOWN_IDENTITY else ""
