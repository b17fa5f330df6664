import pytest
from toys import FORMS


@pytest.fixture(params=FORMS)
def form(request):
    return request.param
