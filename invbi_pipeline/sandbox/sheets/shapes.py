"""The message types the emulator reads, as Google's discovery document has them (a subset; a test compares).

A field's type is "string", "integer", "number", "boolean", "any", "[type]" for a list, "{}" for an open map, or a message.
"""

from collections.abc import Mapping
from typing import Any

__all__ = ["MESSAGES", "unknown_field"]


def _message(text: str) -> Mapping[str, str]:
    """Read "name: type, name: type"; a missing type is the type before it."""
    fields: dict[str, str] = {}
    kind = ""
    for part in text.split(",") if text else ():
        name, _, stated = part.strip().partition(":")
        kind = stated.strip() or kind
        fields[name] = kind
    return fields


MESSAGES: Mapping[str, Mapping[str, str]] = {
    name: _message(text)
    for name, text in {
        "Spreadsheet": "spreadsheetId: string, spreadsheetUrl, properties: SpreadsheetProperties, sheets: [Sheet]",
        "SpreadsheetProperties": "title: string, locale, timeZone, autoRecalc, defaultFormat: CellFormat",
        "Sheet": "properties: SheetProperties, data: [GridData], conditionalFormats: [ConditionalFormatRule], "
        "basicFilter: BasicFilter, bandedRanges: [BandedRange], merges: [GridRange], protectedRanges: [ProtectedRange]",
        "SheetProperties": "sheetId: integer, index, title: string, sheetType, gridProperties: GridProperties, "
        "hidden: boolean, rightToLeft, tabColor: Color, tabColorStyle: ColorStyle",
        "GridProperties": "rowCount: integer, columnCount, frozenRowCount, frozenColumnCount, hideGridlines: boolean, "
        "rowGroupControlAfter, columnGroupControlAfter",
        "GridRange": "sheetId: integer, startRowIndex, endRowIndex, startColumnIndex, endColumnIndex",
        "GridCoordinate": "sheetId: integer, rowIndex, columnIndex",
        "GridData": "startRow: integer, startColumn, rowData: [RowData], rowMetadata: [DimensionProperties], columnMetadata",
        "RowData": "values: [CellData]",
        "CellData": "userEnteredValue: ExtendedValue, effectiveValue, formattedValue: string, userEnteredFormat: CellFormat, "
        "effectiveFormat, note: string, hyperlink, dataValidation: DataValidationRule",
        "ExtendedValue": "numberValue: number, stringValue: string, formulaValue, boolValue: boolean",
        "CellFormat": "numberFormat: NumberFormat, backgroundColor: Color, backgroundColorStyle: ColorStyle, "
        "borders: Borders, padding: Padding, horizontalAlignment: string, verticalAlignment, wrapStrategy, textDirection, "
        "hyperlinkDisplayType, textFormat: TextFormat",
        "NumberFormat": "type: string, pattern",
        "TextFormat": "bold: boolean, italic, strikethrough, underline, fontFamily: string, fontSize: integer, "
        "foregroundColor: Color, foregroundColorStyle: ColorStyle, link: Link",
        "Link": "uri: string",
        "Color": "red: number, green, blue, alpha",
        "ColorStyle": "rgbColor: Color, themeColor: string",
        "Padding": "top: integer, right, bottom, left",
        "Borders": "top: Border, bottom, left, right",
        "Border": "style: string, width: integer, color: Color, colorStyle: ColorStyle",
        "BasicFilter": "range: GridRange, sortSpecs: [SortSpec], criteria: {}",
        "SortSpec": "dimensionIndex: integer, sortOrder: string",
        "ConditionalFormatRule": "ranges: [GridRange], booleanRule: BooleanRule, gradientRule: GradientRule",
        "BooleanRule": "condition: BooleanCondition, format: CellFormat",
        "BooleanCondition": "type: string, values: [ConditionValue]",
        "ConditionValue": "userEnteredValue: string, relativeDate",
        "GradientRule": "minpoint: InterpolationPoint, midpoint, maxpoint",
        "InterpolationPoint": "type: string, value, color: Color, colorStyle: ColorStyle",
        "BandedRange": "bandedRangeId: integer, range: GridRange, rowProperties: BandingProperties, columnProperties",
        "BandingProperties": "headerColor: Color, firstBandColor, secondBandColor, footerColor, "
        "headerColorStyle: ColorStyle, firstBandColorStyle, secondBandColorStyle, footerColorStyle",
        "DataValidationRule": "condition: BooleanCondition, inputMessage: string, strict: boolean, showCustomUi",
        "DimensionProperties": "pixelSize: integer, hiddenByUser: boolean, hiddenByFilter",
        "DimensionRange": "sheetId: integer, dimension: string, startIndex: integer, endIndex",
        "ProtectedRange": "protectedRangeId: integer, range: GridRange, description: string, warningOnly: boolean, "
        "requestingUserCanEdit, editors: Editors, unprotectedRanges: [GridRange]",
        "Editors": "users: [string], groups, domainUsersCanEdit: boolean",
        "ValueRange": "range: string, majorDimension, values: [any]",
        "BatchUpdateValuesRequest": "valueInputOption: string, data: [ValueRange], includeValuesInResponse: boolean, "
        "responseValueRenderOption: string, responseDateTimeRenderOption",
        "BatchClearValuesRequest": "ranges: [string]",
        "ClearValuesRequest": "",
        "BatchUpdateSpreadsheetRequest": "requests: [Request], includeSpreadsheetInResponse: boolean, "
        "responseIncludeGridData, responseRanges: [string]",
        "Request": "addSheet: AddSheetRequest, deleteSheet: DeleteSheetRequest, duplicateSheet: DuplicateSheetRequest, "
        "updateSheetProperties: UpdateSheetPropertiesRequest, updateSpreadsheetProperties: UpdateSpreadsheetPropertiesRequest, "
        "setBasicFilter: SetBasicFilterRequest, clearBasicFilter: ClearBasicFilterRequest, "
        "addConditionalFormatRule: AddConditionalFormatRuleRequest, "
        "deleteConditionalFormatRule: DeleteConditionalFormatRuleRequest, repeatCell: RepeatCellRequest, "
        "updateCells: UpdateCellsRequest, appendCells: AppendCellsRequest, updateBorders: UpdateBordersRequest, "
        "updateDimensionProperties: UpdateDimensionPropertiesRequest, autoResizeDimensions: AutoResizeDimensionsRequest, "
        "appendDimension: AppendDimensionRequest, deleteDimension: DeleteDimensionRequest, "
        "setDataValidation: SetDataValidationRequest, addBanding: AddBandingRequest, deleteBanding: DeleteBandingRequest, "
        "mergeCells: MergeCellsRequest, unmergeCells: UnmergeCellsRequest, addProtectedRange: AddProtectedRangeRequest, "
        "deleteProtectedRange: DeleteProtectedRangeRequest",
        "AddSheetRequest": "properties: SheetProperties",
        "DeleteSheetRequest": "sheetId: integer",
        "DuplicateSheetRequest": "sourceSheetId: integer, insertSheetIndex, newSheetId, newSheetName: string",
        "UpdateSheetPropertiesRequest": "properties: SheetProperties, fields: string",
        "UpdateSpreadsheetPropertiesRequest": "properties: SpreadsheetProperties, fields: string",
        "SetBasicFilterRequest": "filter: BasicFilter",
        "ClearBasicFilterRequest": "sheetId: integer",
        "AddConditionalFormatRuleRequest": "rule: ConditionalFormatRule, index: integer",
        "DeleteConditionalFormatRuleRequest": "index: integer, sheetId",
        "RepeatCellRequest": "range: GridRange, cell: CellData, fields: string",
        "UpdateCellsRequest": "rows: [RowData], fields: string, start: GridCoordinate, range: GridRange",
        "AppendCellsRequest": "sheetId: integer, rows: [RowData], fields: string",
        "UpdateBordersRequest": "range: GridRange, top: Border, bottom, left, right, innerHorizontal, innerVertical",
        "UpdateDimensionPropertiesRequest": "range: DimensionRange, properties: DimensionProperties, fields: string",
        "AutoResizeDimensionsRequest": "dimensions: DimensionRange",
        "AppendDimensionRequest": "sheetId: integer, dimension: string, length: integer",
        "DeleteDimensionRequest": "range: DimensionRange",
        "SetDataValidationRequest": "range: GridRange, rule: DataValidationRule",
        "AddBandingRequest": "bandedRange: BandedRange",
        "DeleteBandingRequest": "bandedRangeId: integer",
        "MergeCellsRequest": "range: GridRange, mergeType: string",
        "UnmergeCellsRequest": "range: GridRange",
        "AddProtectedRangeRequest": "protectedRange: ProtectedRange",
        "DeleteProtectedRangeRequest": "protectedRangeId: integer",
    }.items()
}

_PYTHON: Mapping[str, type | tuple[type, ...]] = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
}


def unknown_field(value: Any, kind: str, where: str = "") -> str:
    """Return Google's complaint about a message that does not fit its type; "" where it fits."""
    if kind == "any" or value is None:
        return ""
    if kind.startswith("["):
        if not isinstance(value, list):
            return f"Invalid value at '{where}', expected an array"
        found = (unknown_field(entry, kind[1:-1], f"{where}[{index}]") for index, entry in enumerate(value))
        return next((complaint for complaint in found if complaint), "")
    if kind in _PYTHON:
        fits = isinstance(value, _PYTHON[kind]) and (kind == "boolean" or not isinstance(value, bool))
        return "" if fits else f"Invalid value at '{where}' (TYPE_{kind.upper()}), {value!r}"
    if not isinstance(value, dict):
        return f"Invalid value at '{where}', expected an object"
    if kind == "{}":
        return ""
    for name, below in value.items():
        known = MESSAGES[kind].get(name)
        if known is None:
            place = f" at '{where}'" if where else ""
            return f'Invalid JSON payload received. Unknown name "{name}"{place}: Cannot find field.'
        complaint = unknown_field(below, known, f"{where}.{name}" if where else name)
        if complaint:
            return complaint
    return ""
