# Copyright 2026 The MindSpore Distillation Authors.
# SPDX-License-Identifier: Apache-2.0
"""What the header of a MediaWiki export says of the wiki: its language and the names of its namespaces."""

from __future__ import annotations

import re
from dataclasses import dataclass
from html import unescape

ARTICLES, FILES, CATEGORIES, MEDIA, SPECIAL = 0, 6, 14, -2, -1
NAMESPACE = re.compile(r'<namespace\b[^<>]{0,200}?\bkey="(-?\d{1,9})"[^<>/]{0,200}(?:/>|>([^<]{0,200})<)')
LANGUAGE = re.compile(r'<mediawiki\b[^<>]{0,2000}?\bxml:lang="([A-Za-z-]{1,20})"')
# Every wiki knows the English names besides its own, and some their former names.
FILE_NAMES = ("file", "image", "media", "文件", "檔案", "图像", "圖像", "ファイル", "画像", "datei", "bild", "fichier",
              "archivo", "imagen", "ficheiro", "imagem", "immagine", "файл", "изображение", "bestand", "afbeelding",
              "plik", "파일")
CATEGORY_NAMES = ("category", "分类", "分類", "カテゴリ", "kategorie", "catégorie", "categoría", "categoria",
                  "категория", "kategoria", "분류")


@dataclass(frozen=True)
class Site:
    """A wiki.

    Attributes:
        language: code such as en, zh, pt-br; "" where the dump does not say.
        files, categories: lower-case names of the namespaces of files and categories.
        others: lower-case names of the other namespaces that are not articles.
    """

    language: str = ""
    files: frozenset[str] = frozenset(FILE_NAMES)
    categories: frozenset[str] = frozenset(CATEGORY_NAMES)
    others: frozenset[str] = frozenset(("talk", "user", "wikipedia", "template", "help", "portal", "special", "draft",
                                        "module", "mediawiki"))


def read_site(header: str) -> Site:
    """Read what stands before the first page."""
    language = LANGUAGE.search(header)
    names = {int(key): unescape(name).strip().lower() for key, name in NAMESPACE.findall(header) if name}
    default = Site()
    return Site(language.group(1).lower() if language else "",
                default.files | {names[key] for key in (FILES, MEDIA) if key in names},
                default.categories | {names[key] for key in (CATEGORIES,) if key in names},
                default.others | {name for key, name in names.items() if key not in (ARTICLES, FILES, CATEGORIES)})
