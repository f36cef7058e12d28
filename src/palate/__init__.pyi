from palate.catalog.item import Item as Item
from palate.catalog.user import User as User
from palate.errors import BadInput as BadInput
from palate.errors import NotFound as NotFound
from palate.errors import PalateError as PalateError
from palate.events.kinds import Event as Event
from palate.events.kinds import Kind as Kind
from palate.funnel.engine import Funnel as Funnel
from palate.funnel.stages import Filter as Filter
from palate.funnel.stages import Generator as Generator
from palate.funnel.stages import Ranker as Ranker
from palate.funnel.stages import Rule as Rule
from palate.funnel.types import Answer as Answer
from palate.funnel.types import Candidates as Candidates
from palate.funnel.types import Pool as Pool
from palate.funnel.types import Query as Query
from palate.funnel.types import Reason as Reason
from palate.funnel.types import Slate as Slate
from palate.releases.release import Release as Release
from palate.serving.bodies import Recommendation as Recommendation
from palate.settings import Settings as Settings
from palate.site import Site as Site
from palate.stores import Stores as Stores

__version__: str
