"""The composition root: settings and a service become a worker's application."""

from collections.abc import Callable

from faststream import FastStream

from workers.llm.catalogue import BadModels, Catalogue
from workers.llm.gateway import Gateway
from workers.llm.targets import NoSuchTarget
from workers.prompting.templates import Prompts
from workers.runtime.app import WorkerApp
from workers.runtime.models import gateway_on
from workers.runtime.role import Role
from workers.runtime.role_service import RoleService
from workers.runtime.service import Environment, Service
from workers.runtime.settings import Settings
from workers.runtime.telemetry import ModelMetrics, configure_logging


def role_service(role: Role, settings: Settings, kind: type[RoleService] = RoleService) -> RoleService:
    """The service of a role with the models and prompts of the settings; a role may have a `kind` of its own.

    Raises `BadModels`.
    """
    catalogue = catalogue_of(settings)
    return kind(role, Prompts.load(settings.prompts_dir), lambda env: _gateway(env, catalogue))


def catalogue_of(settings: Settings) -> Catalogue:
    """The targets and routes of a fleet; raises `BadModels` before any work is taken if the default is none of them."""
    catalogue = Catalogue.load(settings.models_file)
    try:
        catalogue.route(settings.model, settings.model)
    except NoSuchTarget as error:
        raise BadModels("FLOTILLA_MODEL", [str(error)]) from None
    return catalogue


def _gateway(env: Environment, catalogue: Catalogue) -> Gateway:
    env.metrics.configured = catalogue.targets
    return gateway_on(env.bus, env.settings, catalogue, ModelMetrics(env.metrics), clean=env.clean)


def service_app(make: Callable[[Settings], Service], settings: Settings | None = None) -> FastStream:
    """The FastStream application of a service, for `faststream run … --factory` and `flotilla work`."""
    settings = settings or Settings()
    configure_logging(settings)
    return WorkerApp(make(settings), settings).app


def role_app(role: Role, settings: Settings | None = None) -> FastStream:
    """The FastStream application of a role."""
    return service_app(lambda effective: role_service(role, effective), settings)
