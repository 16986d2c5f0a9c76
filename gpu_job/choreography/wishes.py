from shared.library import Style as Style
from shared.wishes import Quality as Quality
from shared.wishes import Wishes as Wishes
