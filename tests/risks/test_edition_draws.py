import hashlib
import json

import pytest

from engine.core.errors import DefinitionError
from engine.risks import load_edition

HEAD = 'name = "own"\nbase = "2025-11"\n'
RATES = [[0.0, 0.001, 0.002, 0.003, 0.004]] * 20


def write(folder, held, extra="", digest=None):
    raw = held if isinstance(held, str) else json.dumps(held)
    (folder / "own.draws.json").write_text(raw)
    digest = digest or hashlib.sha256(raw.encode()).hexdigest()
    path = folder / "own.toml"
    path.write_text(f'{HEAD}draws = {{ file = "own.draws.json", sha256 = "{digest}" }}\n{extra}')
    return path


def test_draws_stand_beside_the_edition_and_are_part_of_its_checksum(tmp_path):
    edition = load_edition(write(tmp_path, {"typhoon": RATES}))
    assert edition.draws.rates["typhoon"][3] == tuple(RATES[3])
    assert edition.checksum != load_edition("2025-11").checksum
    other = load_edition(write(tmp_path, {"typhoon": RATES + RATES}))
    assert other.checksum != edition.checksum
    assert {risk for risk in edition.checksums if edition.checksums[risk] != other.checksums[risk]} == {"typhoon"}


@pytest.mark.parametrize(
    ("held", "digest", "said"),
    [
        ({"typhoon": RATES}, "0" * 64, "own.draws.json has the SHA-256"),
        ("[", None, "own.draws.json is no JSON"),
        ("[" * 100_000, None, "own.draws.json is no JSON"),
        ({}, None, "does not map risks to draws"),
        ({"snow": RATES}, None, "has draws of snow, which the edition does not price"),
        ({"typhoon": [[0.0, 0.1]] * 20}, None, "draws of typhoon are not lists of 5 rates"),
        ({"typhoon": [[0.0, 0.1, 0.2, 0.3, 1.5]] * 20}, None, "draws of typhoon are not lists of 5 rates"),
        ({"typhoon": RATES, "wildfire": RATES * 2}, None, "every risk needs the same number of draws, 20 or more"),
    ],
)
def test_draws_that_do_not_fit_are_refused_with_file_and_line(tmp_path, held, digest, said):
    with pytest.raises(DefinitionError, match=f"line 3: draws: .*{said}"):
        load_edition(write(tmp_path, held, digest=digest))


def test_draws_that_are_not_there_or_elsewhere_are_refused(tmp_path):
    path = write(tmp_path, {"typhoon": RATES})
    (tmp_path / "own.draws.json").unlink()
    with pytest.raises(DefinitionError, match=r"own\.draws\.json cannot be read: No such file"):
        load_edition(path)
    path.write_text(f'{HEAD}draws = {{ file = "../x.json", sha256 = "0" }}\n')
    with pytest.raises(DefinitionError, match="is not the name of a file beside the edition"):
        load_edition(path)


def test_a_users_edition_keeps_the_draws_of_its_base_but_for_risks_whose_losses_it_moves(tmp_path):
    path = tmp_path / "own.toml"
    path.write_text('name = "own"\nbase = "2026-kr"\n[typhoon]\nsource = "told anew"\n')
    assert set(load_edition(path).draws.rates) == {"river_flood", "urban_flood", "typhoon"}
    path.write_text('name = "own"\nbase = "2026-kr"\n[urban_flood]\npriced = false\nsource = "no town"\n')
    assert set(load_edition(path).draws.rates) == {"river_flood", "typhoon"}
