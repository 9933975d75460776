# A plain reading of product pages with extruct: JSON-LD, else microdata; no cleverness.
import json
import sys

import extruct


def first(value):
    if isinstance(value, list):
        return first(value[0]) if value else None
    if isinstance(value, dict):
        return first(value.get("name") or value.get("@value"))
    return value


def products(items):
    for item in items if isinstance(items, list) else [items]:
        if not isinstance(item, dict):
            continue
        kinds = item.get("@type")
        kinds = kinds if isinstance(kinds, list) else [kinds]
        if any(str(kind).split("/")[-1] in ("Product", "ProductGroup") for kind in kinds):
            yield item
        yield from products(item.get("@graph") or [])


def number(value):
    try:
        return float(str(first(value)).replace(",", "."))
    except ValueError:
        return None


def crumbs(items):
    for item in items:
        if isinstance(item, dict):
            if item.get("@type") == "BreadcrumbList":
                names = []
                for element in item.get("itemListElement") or []:
                    if isinstance(element, dict):
                        names.append(str(first(element.get("name") or element.get("item")) or ""))
                return " > ".join(name for name in names if name) or None
            found = crumbs(item.get("@graph") or [])
            if found:
                return found
    return None


def read(page):
    with open(page["path"], "rb") as file:
        text = file.read().decode("utf-8", "replace")
    data = {"json-ld": [], "microdata": []}
    for syntax in data:
        try:
            found = extruct.extract(text, base_url=page["url"], syntaxes=[syntax], uniform=True)
            data[syntax] = found[syntax]
        except Exception:
            pass
    for syntax in data.values():
        for item in products(syntax):
            offers = item.get("offers") or {}
            offer = offers[0] if isinstance(offers, list) and offers else offers
            offer = offer if isinstance(offer, dict) else {}
            images = item.get("image")
            images = images if isinstance(images, list) else [images] if images else []
            stock = str(first(offer.get("availability")) or "").split("/")[-1].lower()
            stock = {"instock": "in_stock", "outofstock": "out_of_stock"}.get(stock)
            return {
                "title": first(item.get("name")),
                "brand": first(item.get("brand")),
                "category": crumbs(data["json-ld"] + data["microdata"]) or first(item.get("category")),
                "price": number(offer.get("price") or offer.get("lowPrice")),
                "currency": first(offer.get("priceCurrency")),
                "availability": stock,
                "images": images,
            }
    return None


json.dump({page["name"]: read(page) for page in json.load(sys.stdin)}, sys.stdout)
