// Generated from schemas/*.schema.json by `npm run schemas`.
import func4Module from 'ajv/dist/runtime/ucs2length.js';
"use strict";
export const ipRanges = validate10;
const schema11 = {"$schema":"http://json-schema.org/draft-07/schema#","$id":"ip-ranges","title":"Range sets: an attachment gets one address of each (ipam.ranges, runtimeConfig.ipRanges)","type":["array","null"],"items":{"type":"array","minItems":1,"items":{"type":"object","additionalProperties":false,"required":["subnet"],"properties":{"subnet":{"type":"string"},"rangeStart":{"type":["string","null"]},"rangeEnd":{"type":["string","null"]},"gateway":{"type":["string","null"]}}}}};

function validate10(data, {instancePath="", parentData, parentDataProperty, rootData=data}={}){
/*# sourceURL="ip-ranges" */;
let vErrors = null;
let errors = 0;
if((!(Array.isArray(data))) && (data !== null)){
const err0 = {instancePath,schemaPath:"#/type",keyword:"type",params:{type: schema11.type},message:"must be array,null",schema:schema11.type,parentSchema:schema11,data};
if(vErrors === null){
vErrors = [err0];
}
else {
vErrors.push(err0);
}
errors++;
}
if(Array.isArray(data)){
const len0 = data.length;
for(let i0=0; i0<len0; i0++){
let data0 = data[i0];
if(Array.isArray(data0)){
if(data0.length < 1){
const err1 = {instancePath:instancePath+"/" + i0,schemaPath:"#/items/minItems",keyword:"minItems",params:{limit: 1},message:"must NOT have fewer than 1 items",schema:1,parentSchema:schema11.items,data:data0};
if(vErrors === null){
vErrors = [err1];
}
else {
vErrors.push(err1);
}
errors++;
}
const len1 = data0.length;
for(let i1=0; i1<len1; i1++){
let data1 = data0[i1];
if(data1 && typeof data1 == "object" && !Array.isArray(data1)){
if(data1.subnet === undefined){
const err2 = {instancePath:instancePath+"/" + i0+"/" + i1,schemaPath:"#/items/items/required",keyword:"required",params:{missingProperty: "subnet"},message:"must have required property '"+"subnet"+"'",schema:schema11.items.items.required,parentSchema:schema11.items.items,data:data1};
if(vErrors === null){
vErrors = [err2];
}
else {
vErrors.push(err2);
}
errors++;
}
for(const key0 in data1){
if(!((((key0 === "subnet") || (key0 === "rangeStart")) || (key0 === "rangeEnd")) || (key0 === "gateway"))){
const err3 = {instancePath:instancePath+"/" + i0+"/" + i1,schemaPath:"#/items/items/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key0},message:"must NOT have additional properties",schema:false,parentSchema:schema11.items.items,data:data1};
if(vErrors === null){
vErrors = [err3];
}
else {
vErrors.push(err3);
}
errors++;
}
}
if(data1.subnet !== undefined){
let data2 = data1.subnet;
if(typeof data2 !== "string"){
const err4 = {instancePath:instancePath+"/" + i0+"/" + i1+"/subnet",schemaPath:"#/items/items/properties/subnet/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema11.items.items.properties.subnet.type,parentSchema:schema11.items.items.properties.subnet,data:data2};
if(vErrors === null){
vErrors = [err4];
}
else {
vErrors.push(err4);
}
errors++;
}
}
if(data1.rangeStart !== undefined){
let data3 = data1.rangeStart;
if((typeof data3 !== "string") && (data3 !== null)){
const err5 = {instancePath:instancePath+"/" + i0+"/" + i1+"/rangeStart",schemaPath:"#/items/items/properties/rangeStart/type",keyword:"type",params:{type: schema11.items.items.properties.rangeStart.type},message:"must be string,null",schema:schema11.items.items.properties.rangeStart.type,parentSchema:schema11.items.items.properties.rangeStart,data:data3};
if(vErrors === null){
vErrors = [err5];
}
else {
vErrors.push(err5);
}
errors++;
}
}
if(data1.rangeEnd !== undefined){
let data4 = data1.rangeEnd;
if((typeof data4 !== "string") && (data4 !== null)){
const err6 = {instancePath:instancePath+"/" + i0+"/" + i1+"/rangeEnd",schemaPath:"#/items/items/properties/rangeEnd/type",keyword:"type",params:{type: schema11.items.items.properties.rangeEnd.type},message:"must be string,null",schema:schema11.items.items.properties.rangeEnd.type,parentSchema:schema11.items.items.properties.rangeEnd,data:data4};
if(vErrors === null){
vErrors = [err6];
}
else {
vErrors.push(err6);
}
errors++;
}
}
if(data1.gateway !== undefined){
let data5 = data1.gateway;
if((typeof data5 !== "string") && (data5 !== null)){
const err7 = {instancePath:instancePath+"/" + i0+"/" + i1+"/gateway",schemaPath:"#/items/items/properties/gateway/type",keyword:"type",params:{type: schema11.items.items.properties.gateway.type},message:"must be string,null",schema:schema11.items.items.properties.gateway.type,parentSchema:schema11.items.items.properties.gateway,data:data5};
if(vErrors === null){
vErrors = [err7];
}
else {
vErrors.push(err7);
}
errors++;
}
}
}
else {
const err8 = {instancePath:instancePath+"/" + i0+"/" + i1,schemaPath:"#/items/items/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema11.items.items.type,parentSchema:schema11.items.items,data:data1};
if(vErrors === null){
vErrors = [err8];
}
else {
vErrors.push(err8);
}
errors++;
}
}
}
else {
const err9 = {instancePath:instancePath+"/" + i0,schemaPath:"#/items/type",keyword:"type",params:{type: "array"},message:"must be array",schema:schema11.items.type,parentSchema:schema11.items,data:data0};
if(vErrors === null){
vErrors = [err9];
}
else {
vErrors.push(err9);
}
errors++;
}
}
}
validate10.errors = vErrors;
return errors === 0;
}

export const ipamHostLocal = validate11;
const schema12 = {"$schema":"http://json-schema.org/draft-07/schema#","title":"ipam of type host-local, and of the built-in allocation","type":"object","additionalProperties":false,"properties":{"type":{"type":"string"},"name":{"type":["string","null"]},"subnet":{"type":["string","null"]},"rangeStart":{"type":["string","null"]},"rangeEnd":{"type":["string","null"]},"gateway":{"type":["string","null"]},"ranges":{"$ref":"ip-ranges"},"routes":{"$ref":"ipam-routes"},"dataDir":{"type":["string","null"]},"resolvConf":{"type":["string","null"]},"writeFiles":{"type":["boolean","null"]}}};
const schema14 = {"$schema":"http://json-schema.org/draft-07/schema#","$id":"ipam-routes","title":"Routes of a CNI configuration; mtu and the keys after it are CNI 1.1.0's","type":["array","null"],"items":{"type":"object","additionalProperties":false,"required":["dst"],"properties":{"dst":{"type":"string"},"gw":{"type":["string","null"]},"mtu":{"type":["integer","null"],"minimum":0,"maximum":65535},"advmss":{"type":["integer","null"],"minimum":0,"maximum":65535},"priority":{"type":["integer","null"],"minimum":0,"maximum":4294967295},"table":{"type":["integer","null"],"minimum":0,"maximum":4294967295},"scope":{"type":["integer","null"],"minimum":0,"maximum":255}}}};
const func2 = Object.prototype.hasOwnProperty;

function validate11(data, {instancePath="", parentData, parentDataProperty, rootData=data}={}){
let vErrors = null;
let errors = 0;
if(data && typeof data == "object" && !Array.isArray(data)){
for(const key0 in data){
if(!(func2.call(schema12.properties, key0))){
const err0 = {instancePath,schemaPath:"#/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key0},message:"must NOT have additional properties",schema:false,parentSchema:schema12,data};
if(vErrors === null){
vErrors = [err0];
}
else {
vErrors.push(err0);
}
errors++;
}
}
if(data.type !== undefined){
let data0 = data.type;
if(typeof data0 !== "string"){
const err1 = {instancePath:instancePath+"/type",schemaPath:"#/properties/type/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema12.properties.type.type,parentSchema:schema12.properties.type,data:data0};
if(vErrors === null){
vErrors = [err1];
}
else {
vErrors.push(err1);
}
errors++;
}
}
if(data.name !== undefined){
let data1 = data.name;
if((typeof data1 !== "string") && (data1 !== null)){
const err2 = {instancePath:instancePath+"/name",schemaPath:"#/properties/name/type",keyword:"type",params:{type: schema12.properties.name.type},message:"must be string,null",schema:schema12.properties.name.type,parentSchema:schema12.properties.name,data:data1};
if(vErrors === null){
vErrors = [err2];
}
else {
vErrors.push(err2);
}
errors++;
}
}
if(data.subnet !== undefined){
let data2 = data.subnet;
if((typeof data2 !== "string") && (data2 !== null)){
const err3 = {instancePath:instancePath+"/subnet",schemaPath:"#/properties/subnet/type",keyword:"type",params:{type: schema12.properties.subnet.type},message:"must be string,null",schema:schema12.properties.subnet.type,parentSchema:schema12.properties.subnet,data:data2};
if(vErrors === null){
vErrors = [err3];
}
else {
vErrors.push(err3);
}
errors++;
}
}
if(data.rangeStart !== undefined){
let data3 = data.rangeStart;
if((typeof data3 !== "string") && (data3 !== null)){
const err4 = {instancePath:instancePath+"/rangeStart",schemaPath:"#/properties/rangeStart/type",keyword:"type",params:{type: schema12.properties.rangeStart.type},message:"must be string,null",schema:schema12.properties.rangeStart.type,parentSchema:schema12.properties.rangeStart,data:data3};
if(vErrors === null){
vErrors = [err4];
}
else {
vErrors.push(err4);
}
errors++;
}
}
if(data.rangeEnd !== undefined){
let data4 = data.rangeEnd;
if((typeof data4 !== "string") && (data4 !== null)){
const err5 = {instancePath:instancePath+"/rangeEnd",schemaPath:"#/properties/rangeEnd/type",keyword:"type",params:{type: schema12.properties.rangeEnd.type},message:"must be string,null",schema:schema12.properties.rangeEnd.type,parentSchema:schema12.properties.rangeEnd,data:data4};
if(vErrors === null){
vErrors = [err5];
}
else {
vErrors.push(err5);
}
errors++;
}
}
if(data.gateway !== undefined){
let data5 = data.gateway;
if((typeof data5 !== "string") && (data5 !== null)){
const err6 = {instancePath:instancePath+"/gateway",schemaPath:"#/properties/gateway/type",keyword:"type",params:{type: schema12.properties.gateway.type},message:"must be string,null",schema:schema12.properties.gateway.type,parentSchema:schema12.properties.gateway,data:data5};
if(vErrors === null){
vErrors = [err6];
}
else {
vErrors.push(err6);
}
errors++;
}
}
if(data.ranges !== undefined){
let data6 = data.ranges;
if((!(Array.isArray(data6))) && (data6 !== null)){
const err7 = {instancePath:instancePath+"/ranges",schemaPath:"ip-ranges/type",keyword:"type",params:{type: schema11.type},message:"must be array,null",schema:schema11.type,parentSchema:schema11,data:data6};
if(vErrors === null){
vErrors = [err7];
}
else {
vErrors.push(err7);
}
errors++;
}
if(Array.isArray(data6)){
const len0 = data6.length;
for(let i0=0; i0<len0; i0++){
let data7 = data6[i0];
if(Array.isArray(data7)){
if(data7.length < 1){
const err8 = {instancePath:instancePath+"/ranges/" + i0,schemaPath:"ip-ranges/items/minItems",keyword:"minItems",params:{limit: 1},message:"must NOT have fewer than 1 items",schema:1,parentSchema:schema11.items,data:data7};
if(vErrors === null){
vErrors = [err8];
}
else {
vErrors.push(err8);
}
errors++;
}
const len1 = data7.length;
for(let i1=0; i1<len1; i1++){
let data8 = data7[i1];
if(data8 && typeof data8 == "object" && !Array.isArray(data8)){
if(data8.subnet === undefined){
const err9 = {instancePath:instancePath+"/ranges/" + i0+"/" + i1,schemaPath:"ip-ranges/items/items/required",keyword:"required",params:{missingProperty: "subnet"},message:"must have required property '"+"subnet"+"'",schema:schema11.items.items.required,parentSchema:schema11.items.items,data:data8};
if(vErrors === null){
vErrors = [err9];
}
else {
vErrors.push(err9);
}
errors++;
}
for(const key1 in data8){
if(!((((key1 === "subnet") || (key1 === "rangeStart")) || (key1 === "rangeEnd")) || (key1 === "gateway"))){
const err10 = {instancePath:instancePath+"/ranges/" + i0+"/" + i1,schemaPath:"ip-ranges/items/items/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key1},message:"must NOT have additional properties",schema:false,parentSchema:schema11.items.items,data:data8};
if(vErrors === null){
vErrors = [err10];
}
else {
vErrors.push(err10);
}
errors++;
}
}
if(data8.subnet !== undefined){
let data9 = data8.subnet;
if(typeof data9 !== "string"){
const err11 = {instancePath:instancePath+"/ranges/" + i0+"/" + i1+"/subnet",schemaPath:"ip-ranges/items/items/properties/subnet/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema11.items.items.properties.subnet.type,parentSchema:schema11.items.items.properties.subnet,data:data9};
if(vErrors === null){
vErrors = [err11];
}
else {
vErrors.push(err11);
}
errors++;
}
}
if(data8.rangeStart !== undefined){
let data10 = data8.rangeStart;
if((typeof data10 !== "string") && (data10 !== null)){
const err12 = {instancePath:instancePath+"/ranges/" + i0+"/" + i1+"/rangeStart",schemaPath:"ip-ranges/items/items/properties/rangeStart/type",keyword:"type",params:{type: schema11.items.items.properties.rangeStart.type},message:"must be string,null",schema:schema11.items.items.properties.rangeStart.type,parentSchema:schema11.items.items.properties.rangeStart,data:data10};
if(vErrors === null){
vErrors = [err12];
}
else {
vErrors.push(err12);
}
errors++;
}
}
if(data8.rangeEnd !== undefined){
let data11 = data8.rangeEnd;
if((typeof data11 !== "string") && (data11 !== null)){
const err13 = {instancePath:instancePath+"/ranges/" + i0+"/" + i1+"/rangeEnd",schemaPath:"ip-ranges/items/items/properties/rangeEnd/type",keyword:"type",params:{type: schema11.items.items.properties.rangeEnd.type},message:"must be string,null",schema:schema11.items.items.properties.rangeEnd.type,parentSchema:schema11.items.items.properties.rangeEnd,data:data11};
if(vErrors === null){
vErrors = [err13];
}
else {
vErrors.push(err13);
}
errors++;
}
}
if(data8.gateway !== undefined){
let data12 = data8.gateway;
if((typeof data12 !== "string") && (data12 !== null)){
const err14 = {instancePath:instancePath+"/ranges/" + i0+"/" + i1+"/gateway",schemaPath:"ip-ranges/items/items/properties/gateway/type",keyword:"type",params:{type: schema11.items.items.properties.gateway.type},message:"must be string,null",schema:schema11.items.items.properties.gateway.type,parentSchema:schema11.items.items.properties.gateway,data:data12};
if(vErrors === null){
vErrors = [err14];
}
else {
vErrors.push(err14);
}
errors++;
}
}
}
else {
const err15 = {instancePath:instancePath+"/ranges/" + i0+"/" + i1,schemaPath:"ip-ranges/items/items/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema11.items.items.type,parentSchema:schema11.items.items,data:data8};
if(vErrors === null){
vErrors = [err15];
}
else {
vErrors.push(err15);
}
errors++;
}
}
}
else {
const err16 = {instancePath:instancePath+"/ranges/" + i0,schemaPath:"ip-ranges/items/type",keyword:"type",params:{type: "array"},message:"must be array",schema:schema11.items.type,parentSchema:schema11.items,data:data7};
if(vErrors === null){
vErrors = [err16];
}
else {
vErrors.push(err16);
}
errors++;
}
}
}
}
if(data.routes !== undefined){
let data13 = data.routes;
if((!(Array.isArray(data13))) && (data13 !== null)){
const err17 = {instancePath:instancePath+"/routes",schemaPath:"ipam-routes/type",keyword:"type",params:{type: schema14.type},message:"must be array,null",schema:schema14.type,parentSchema:schema14,data:data13};
if(vErrors === null){
vErrors = [err17];
}
else {
vErrors.push(err17);
}
errors++;
}
if(Array.isArray(data13)){
const len2 = data13.length;
for(let i2=0; i2<len2; i2++){
let data14 = data13[i2];
if(data14 && typeof data14 == "object" && !Array.isArray(data14)){
if(data14.dst === undefined){
const err18 = {instancePath:instancePath+"/routes/" + i2,schemaPath:"ipam-routes/items/required",keyword:"required",params:{missingProperty: "dst"},message:"must have required property '"+"dst"+"'",schema:schema14.items.required,parentSchema:schema14.items,data:data14};
if(vErrors === null){
vErrors = [err18];
}
else {
vErrors.push(err18);
}
errors++;
}
for(const key2 in data14){
if(!(((((((key2 === "dst") || (key2 === "gw")) || (key2 === "mtu")) || (key2 === "advmss")) || (key2 === "priority")) || (key2 === "table")) || (key2 === "scope"))){
const err19 = {instancePath:instancePath+"/routes/" + i2,schemaPath:"ipam-routes/items/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key2},message:"must NOT have additional properties",schema:false,parentSchema:schema14.items,data:data14};
if(vErrors === null){
vErrors = [err19];
}
else {
vErrors.push(err19);
}
errors++;
}
}
if(data14.dst !== undefined){
let data15 = data14.dst;
if(typeof data15 !== "string"){
const err20 = {instancePath:instancePath+"/routes/" + i2+"/dst",schemaPath:"ipam-routes/items/properties/dst/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema14.items.properties.dst.type,parentSchema:schema14.items.properties.dst,data:data15};
if(vErrors === null){
vErrors = [err20];
}
else {
vErrors.push(err20);
}
errors++;
}
}
if(data14.gw !== undefined){
let data16 = data14.gw;
if((typeof data16 !== "string") && (data16 !== null)){
const err21 = {instancePath:instancePath+"/routes/" + i2+"/gw",schemaPath:"ipam-routes/items/properties/gw/type",keyword:"type",params:{type: schema14.items.properties.gw.type},message:"must be string,null",schema:schema14.items.properties.gw.type,parentSchema:schema14.items.properties.gw,data:data16};
if(vErrors === null){
vErrors = [err21];
}
else {
vErrors.push(err21);
}
errors++;
}
}
if(data14.mtu !== undefined){
let data17 = data14.mtu;
if((!(((typeof data17 == "number") && (!(data17 % 1) && !isNaN(data17))) && (isFinite(data17)))) && (data17 !== null)){
const err22 = {instancePath:instancePath+"/routes/" + i2+"/mtu",schemaPath:"ipam-routes/items/properties/mtu/type",keyword:"type",params:{type: schema14.items.properties.mtu.type},message:"must be integer,null",schema:schema14.items.properties.mtu.type,parentSchema:schema14.items.properties.mtu,data:data17};
if(vErrors === null){
vErrors = [err22];
}
else {
vErrors.push(err22);
}
errors++;
}
if((typeof data17 == "number") && (isFinite(data17))){
if(data17 > 65535 || isNaN(data17)){
const err23 = {instancePath:instancePath+"/routes/" + i2+"/mtu",schemaPath:"ipam-routes/items/properties/mtu/maximum",keyword:"maximum",params:{comparison: "<=", limit: 65535},message:"must be <= 65535",schema:65535,parentSchema:schema14.items.properties.mtu,data:data17};
if(vErrors === null){
vErrors = [err23];
}
else {
vErrors.push(err23);
}
errors++;
}
if(data17 < 0 || isNaN(data17)){
const err24 = {instancePath:instancePath+"/routes/" + i2+"/mtu",schemaPath:"ipam-routes/items/properties/mtu/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema14.items.properties.mtu,data:data17};
if(vErrors === null){
vErrors = [err24];
}
else {
vErrors.push(err24);
}
errors++;
}
}
}
if(data14.advmss !== undefined){
let data18 = data14.advmss;
if((!(((typeof data18 == "number") && (!(data18 % 1) && !isNaN(data18))) && (isFinite(data18)))) && (data18 !== null)){
const err25 = {instancePath:instancePath+"/routes/" + i2+"/advmss",schemaPath:"ipam-routes/items/properties/advmss/type",keyword:"type",params:{type: schema14.items.properties.advmss.type},message:"must be integer,null",schema:schema14.items.properties.advmss.type,parentSchema:schema14.items.properties.advmss,data:data18};
if(vErrors === null){
vErrors = [err25];
}
else {
vErrors.push(err25);
}
errors++;
}
if((typeof data18 == "number") && (isFinite(data18))){
if(data18 > 65535 || isNaN(data18)){
const err26 = {instancePath:instancePath+"/routes/" + i2+"/advmss",schemaPath:"ipam-routes/items/properties/advmss/maximum",keyword:"maximum",params:{comparison: "<=", limit: 65535},message:"must be <= 65535",schema:65535,parentSchema:schema14.items.properties.advmss,data:data18};
if(vErrors === null){
vErrors = [err26];
}
else {
vErrors.push(err26);
}
errors++;
}
if(data18 < 0 || isNaN(data18)){
const err27 = {instancePath:instancePath+"/routes/" + i2+"/advmss",schemaPath:"ipam-routes/items/properties/advmss/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema14.items.properties.advmss,data:data18};
if(vErrors === null){
vErrors = [err27];
}
else {
vErrors.push(err27);
}
errors++;
}
}
}
if(data14.priority !== undefined){
let data19 = data14.priority;
if((!(((typeof data19 == "number") && (!(data19 % 1) && !isNaN(data19))) && (isFinite(data19)))) && (data19 !== null)){
const err28 = {instancePath:instancePath+"/routes/" + i2+"/priority",schemaPath:"ipam-routes/items/properties/priority/type",keyword:"type",params:{type: schema14.items.properties.priority.type},message:"must be integer,null",schema:schema14.items.properties.priority.type,parentSchema:schema14.items.properties.priority,data:data19};
if(vErrors === null){
vErrors = [err28];
}
else {
vErrors.push(err28);
}
errors++;
}
if((typeof data19 == "number") && (isFinite(data19))){
if(data19 > 4294967295 || isNaN(data19)){
const err29 = {instancePath:instancePath+"/routes/" + i2+"/priority",schemaPath:"ipam-routes/items/properties/priority/maximum",keyword:"maximum",params:{comparison: "<=", limit: 4294967295},message:"must be <= 4294967295",schema:4294967295,parentSchema:schema14.items.properties.priority,data:data19};
if(vErrors === null){
vErrors = [err29];
}
else {
vErrors.push(err29);
}
errors++;
}
if(data19 < 0 || isNaN(data19)){
const err30 = {instancePath:instancePath+"/routes/" + i2+"/priority",schemaPath:"ipam-routes/items/properties/priority/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema14.items.properties.priority,data:data19};
if(vErrors === null){
vErrors = [err30];
}
else {
vErrors.push(err30);
}
errors++;
}
}
}
if(data14.table !== undefined){
let data20 = data14.table;
if((!(((typeof data20 == "number") && (!(data20 % 1) && !isNaN(data20))) && (isFinite(data20)))) && (data20 !== null)){
const err31 = {instancePath:instancePath+"/routes/" + i2+"/table",schemaPath:"ipam-routes/items/properties/table/type",keyword:"type",params:{type: schema14.items.properties.table.type},message:"must be integer,null",schema:schema14.items.properties.table.type,parentSchema:schema14.items.properties.table,data:data20};
if(vErrors === null){
vErrors = [err31];
}
else {
vErrors.push(err31);
}
errors++;
}
if((typeof data20 == "number") && (isFinite(data20))){
if(data20 > 4294967295 || isNaN(data20)){
const err32 = {instancePath:instancePath+"/routes/" + i2+"/table",schemaPath:"ipam-routes/items/properties/table/maximum",keyword:"maximum",params:{comparison: "<=", limit: 4294967295},message:"must be <= 4294967295",schema:4294967295,parentSchema:schema14.items.properties.table,data:data20};
if(vErrors === null){
vErrors = [err32];
}
else {
vErrors.push(err32);
}
errors++;
}
if(data20 < 0 || isNaN(data20)){
const err33 = {instancePath:instancePath+"/routes/" + i2+"/table",schemaPath:"ipam-routes/items/properties/table/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema14.items.properties.table,data:data20};
if(vErrors === null){
vErrors = [err33];
}
else {
vErrors.push(err33);
}
errors++;
}
}
}
if(data14.scope !== undefined){
let data21 = data14.scope;
if((!(((typeof data21 == "number") && (!(data21 % 1) && !isNaN(data21))) && (isFinite(data21)))) && (data21 !== null)){
const err34 = {instancePath:instancePath+"/routes/" + i2+"/scope",schemaPath:"ipam-routes/items/properties/scope/type",keyword:"type",params:{type: schema14.items.properties.scope.type},message:"must be integer,null",schema:schema14.items.properties.scope.type,parentSchema:schema14.items.properties.scope,data:data21};
if(vErrors === null){
vErrors = [err34];
}
else {
vErrors.push(err34);
}
errors++;
}
if((typeof data21 == "number") && (isFinite(data21))){
if(data21 > 255 || isNaN(data21)){
const err35 = {instancePath:instancePath+"/routes/" + i2+"/scope",schemaPath:"ipam-routes/items/properties/scope/maximum",keyword:"maximum",params:{comparison: "<=", limit: 255},message:"must be <= 255",schema:255,parentSchema:schema14.items.properties.scope,data:data21};
if(vErrors === null){
vErrors = [err35];
}
else {
vErrors.push(err35);
}
errors++;
}
if(data21 < 0 || isNaN(data21)){
const err36 = {instancePath:instancePath+"/routes/" + i2+"/scope",schemaPath:"ipam-routes/items/properties/scope/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema14.items.properties.scope,data:data21};
if(vErrors === null){
vErrors = [err36];
}
else {
vErrors.push(err36);
}
errors++;
}
}
}
}
else {
const err37 = {instancePath:instancePath+"/routes/" + i2,schemaPath:"ipam-routes/items/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema14.items.type,parentSchema:schema14.items,data:data14};
if(vErrors === null){
vErrors = [err37];
}
else {
vErrors.push(err37);
}
errors++;
}
}
}
}
if(data.dataDir !== undefined){
let data22 = data.dataDir;
if((typeof data22 !== "string") && (data22 !== null)){
const err38 = {instancePath:instancePath+"/dataDir",schemaPath:"#/properties/dataDir/type",keyword:"type",params:{type: schema12.properties.dataDir.type},message:"must be string,null",schema:schema12.properties.dataDir.type,parentSchema:schema12.properties.dataDir,data:data22};
if(vErrors === null){
vErrors = [err38];
}
else {
vErrors.push(err38);
}
errors++;
}
}
if(data.resolvConf !== undefined){
let data23 = data.resolvConf;
if((typeof data23 !== "string") && (data23 !== null)){
const err39 = {instancePath:instancePath+"/resolvConf",schemaPath:"#/properties/resolvConf/type",keyword:"type",params:{type: schema12.properties.resolvConf.type},message:"must be string,null",schema:schema12.properties.resolvConf.type,parentSchema:schema12.properties.resolvConf,data:data23};
if(vErrors === null){
vErrors = [err39];
}
else {
vErrors.push(err39);
}
errors++;
}
}
if(data.writeFiles !== undefined){
let data24 = data.writeFiles;
if((typeof data24 !== "boolean") && (data24 !== null)){
const err40 = {instancePath:instancePath+"/writeFiles",schemaPath:"#/properties/writeFiles/type",keyword:"type",params:{type: schema12.properties.writeFiles.type},message:"must be boolean,null",schema:schema12.properties.writeFiles.type,parentSchema:schema12.properties.writeFiles,data:data24};
if(vErrors === null){
vErrors = [err40];
}
else {
vErrors.push(err40);
}
errors++;
}
}
}
else {
const err41 = {instancePath,schemaPath:"#/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema12.type,parentSchema:schema12,data};
if(vErrors === null){
vErrors = [err41];
}
else {
vErrors.push(err41);
}
errors++;
}
validate11.errors = vErrors;
return errors === 0;
}

export const ipamRoutes = validate12;

function validate12(data, {instancePath="", parentData, parentDataProperty, rootData=data}={}){
/*# sourceURL="ipam-routes" */;
let vErrors = null;
let errors = 0;
if((!(Array.isArray(data))) && (data !== null)){
const err0 = {instancePath,schemaPath:"#/type",keyword:"type",params:{type: schema14.type},message:"must be array,null",schema:schema14.type,parentSchema:schema14,data};
if(vErrors === null){
vErrors = [err0];
}
else {
vErrors.push(err0);
}
errors++;
}
if(Array.isArray(data)){
const len0 = data.length;
for(let i0=0; i0<len0; i0++){
let data0 = data[i0];
if(data0 && typeof data0 == "object" && !Array.isArray(data0)){
if(data0.dst === undefined){
const err1 = {instancePath:instancePath+"/" + i0,schemaPath:"#/items/required",keyword:"required",params:{missingProperty: "dst"},message:"must have required property '"+"dst"+"'",schema:schema14.items.required,parentSchema:schema14.items,data:data0};
if(vErrors === null){
vErrors = [err1];
}
else {
vErrors.push(err1);
}
errors++;
}
for(const key0 in data0){
if(!(((((((key0 === "dst") || (key0 === "gw")) || (key0 === "mtu")) || (key0 === "advmss")) || (key0 === "priority")) || (key0 === "table")) || (key0 === "scope"))){
const err2 = {instancePath:instancePath+"/" + i0,schemaPath:"#/items/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key0},message:"must NOT have additional properties",schema:false,parentSchema:schema14.items,data:data0};
if(vErrors === null){
vErrors = [err2];
}
else {
vErrors.push(err2);
}
errors++;
}
}
if(data0.dst !== undefined){
let data1 = data0.dst;
if(typeof data1 !== "string"){
const err3 = {instancePath:instancePath+"/" + i0+"/dst",schemaPath:"#/items/properties/dst/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema14.items.properties.dst.type,parentSchema:schema14.items.properties.dst,data:data1};
if(vErrors === null){
vErrors = [err3];
}
else {
vErrors.push(err3);
}
errors++;
}
}
if(data0.gw !== undefined){
let data2 = data0.gw;
if((typeof data2 !== "string") && (data2 !== null)){
const err4 = {instancePath:instancePath+"/" + i0+"/gw",schemaPath:"#/items/properties/gw/type",keyword:"type",params:{type: schema14.items.properties.gw.type},message:"must be string,null",schema:schema14.items.properties.gw.type,parentSchema:schema14.items.properties.gw,data:data2};
if(vErrors === null){
vErrors = [err4];
}
else {
vErrors.push(err4);
}
errors++;
}
}
if(data0.mtu !== undefined){
let data3 = data0.mtu;
if((!(((typeof data3 == "number") && (!(data3 % 1) && !isNaN(data3))) && (isFinite(data3)))) && (data3 !== null)){
const err5 = {instancePath:instancePath+"/" + i0+"/mtu",schemaPath:"#/items/properties/mtu/type",keyword:"type",params:{type: schema14.items.properties.mtu.type},message:"must be integer,null",schema:schema14.items.properties.mtu.type,parentSchema:schema14.items.properties.mtu,data:data3};
if(vErrors === null){
vErrors = [err5];
}
else {
vErrors.push(err5);
}
errors++;
}
if((typeof data3 == "number") && (isFinite(data3))){
if(data3 > 65535 || isNaN(data3)){
const err6 = {instancePath:instancePath+"/" + i0+"/mtu",schemaPath:"#/items/properties/mtu/maximum",keyword:"maximum",params:{comparison: "<=", limit: 65535},message:"must be <= 65535",schema:65535,parentSchema:schema14.items.properties.mtu,data:data3};
if(vErrors === null){
vErrors = [err6];
}
else {
vErrors.push(err6);
}
errors++;
}
if(data3 < 0 || isNaN(data3)){
const err7 = {instancePath:instancePath+"/" + i0+"/mtu",schemaPath:"#/items/properties/mtu/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema14.items.properties.mtu,data:data3};
if(vErrors === null){
vErrors = [err7];
}
else {
vErrors.push(err7);
}
errors++;
}
}
}
if(data0.advmss !== undefined){
let data4 = data0.advmss;
if((!(((typeof data4 == "number") && (!(data4 % 1) && !isNaN(data4))) && (isFinite(data4)))) && (data4 !== null)){
const err8 = {instancePath:instancePath+"/" + i0+"/advmss",schemaPath:"#/items/properties/advmss/type",keyword:"type",params:{type: schema14.items.properties.advmss.type},message:"must be integer,null",schema:schema14.items.properties.advmss.type,parentSchema:schema14.items.properties.advmss,data:data4};
if(vErrors === null){
vErrors = [err8];
}
else {
vErrors.push(err8);
}
errors++;
}
if((typeof data4 == "number") && (isFinite(data4))){
if(data4 > 65535 || isNaN(data4)){
const err9 = {instancePath:instancePath+"/" + i0+"/advmss",schemaPath:"#/items/properties/advmss/maximum",keyword:"maximum",params:{comparison: "<=", limit: 65535},message:"must be <= 65535",schema:65535,parentSchema:schema14.items.properties.advmss,data:data4};
if(vErrors === null){
vErrors = [err9];
}
else {
vErrors.push(err9);
}
errors++;
}
if(data4 < 0 || isNaN(data4)){
const err10 = {instancePath:instancePath+"/" + i0+"/advmss",schemaPath:"#/items/properties/advmss/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema14.items.properties.advmss,data:data4};
if(vErrors === null){
vErrors = [err10];
}
else {
vErrors.push(err10);
}
errors++;
}
}
}
if(data0.priority !== undefined){
let data5 = data0.priority;
if((!(((typeof data5 == "number") && (!(data5 % 1) && !isNaN(data5))) && (isFinite(data5)))) && (data5 !== null)){
const err11 = {instancePath:instancePath+"/" + i0+"/priority",schemaPath:"#/items/properties/priority/type",keyword:"type",params:{type: schema14.items.properties.priority.type},message:"must be integer,null",schema:schema14.items.properties.priority.type,parentSchema:schema14.items.properties.priority,data:data5};
if(vErrors === null){
vErrors = [err11];
}
else {
vErrors.push(err11);
}
errors++;
}
if((typeof data5 == "number") && (isFinite(data5))){
if(data5 > 4294967295 || isNaN(data5)){
const err12 = {instancePath:instancePath+"/" + i0+"/priority",schemaPath:"#/items/properties/priority/maximum",keyword:"maximum",params:{comparison: "<=", limit: 4294967295},message:"must be <= 4294967295",schema:4294967295,parentSchema:schema14.items.properties.priority,data:data5};
if(vErrors === null){
vErrors = [err12];
}
else {
vErrors.push(err12);
}
errors++;
}
if(data5 < 0 || isNaN(data5)){
const err13 = {instancePath:instancePath+"/" + i0+"/priority",schemaPath:"#/items/properties/priority/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema14.items.properties.priority,data:data5};
if(vErrors === null){
vErrors = [err13];
}
else {
vErrors.push(err13);
}
errors++;
}
}
}
if(data0.table !== undefined){
let data6 = data0.table;
if((!(((typeof data6 == "number") && (!(data6 % 1) && !isNaN(data6))) && (isFinite(data6)))) && (data6 !== null)){
const err14 = {instancePath:instancePath+"/" + i0+"/table",schemaPath:"#/items/properties/table/type",keyword:"type",params:{type: schema14.items.properties.table.type},message:"must be integer,null",schema:schema14.items.properties.table.type,parentSchema:schema14.items.properties.table,data:data6};
if(vErrors === null){
vErrors = [err14];
}
else {
vErrors.push(err14);
}
errors++;
}
if((typeof data6 == "number") && (isFinite(data6))){
if(data6 > 4294967295 || isNaN(data6)){
const err15 = {instancePath:instancePath+"/" + i0+"/table",schemaPath:"#/items/properties/table/maximum",keyword:"maximum",params:{comparison: "<=", limit: 4294967295},message:"must be <= 4294967295",schema:4294967295,parentSchema:schema14.items.properties.table,data:data6};
if(vErrors === null){
vErrors = [err15];
}
else {
vErrors.push(err15);
}
errors++;
}
if(data6 < 0 || isNaN(data6)){
const err16 = {instancePath:instancePath+"/" + i0+"/table",schemaPath:"#/items/properties/table/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema14.items.properties.table,data:data6};
if(vErrors === null){
vErrors = [err16];
}
else {
vErrors.push(err16);
}
errors++;
}
}
}
if(data0.scope !== undefined){
let data7 = data0.scope;
if((!(((typeof data7 == "number") && (!(data7 % 1) && !isNaN(data7))) && (isFinite(data7)))) && (data7 !== null)){
const err17 = {instancePath:instancePath+"/" + i0+"/scope",schemaPath:"#/items/properties/scope/type",keyword:"type",params:{type: schema14.items.properties.scope.type},message:"must be integer,null",schema:schema14.items.properties.scope.type,parentSchema:schema14.items.properties.scope,data:data7};
if(vErrors === null){
vErrors = [err17];
}
else {
vErrors.push(err17);
}
errors++;
}
if((typeof data7 == "number") && (isFinite(data7))){
if(data7 > 255 || isNaN(data7)){
const err18 = {instancePath:instancePath+"/" + i0+"/scope",schemaPath:"#/items/properties/scope/maximum",keyword:"maximum",params:{comparison: "<=", limit: 255},message:"must be <= 255",schema:255,parentSchema:schema14.items.properties.scope,data:data7};
if(vErrors === null){
vErrors = [err18];
}
else {
vErrors.push(err18);
}
errors++;
}
if(data7 < 0 || isNaN(data7)){
const err19 = {instancePath:instancePath+"/" + i0+"/scope",schemaPath:"#/items/properties/scope/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema14.items.properties.scope,data:data7};
if(vErrors === null){
vErrors = [err19];
}
else {
vErrors.push(err19);
}
errors++;
}
}
}
}
else {
const err20 = {instancePath:instancePath+"/" + i0,schemaPath:"#/items/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema14.items.type,parentSchema:schema14.items,data:data0};
if(vErrors === null){
vErrors = [err20];
}
else {
vErrors.push(err20);
}
errors++;
}
}
}
validate12.errors = vErrors;
return errors === 0;
}

export const ipamStatic = validate13;
const schema16 = {"$schema":"http://json-schema.org/draft-07/schema#","title":"ipam of type static","type":"object","additionalProperties":false,"properties":{"type":{"type":"string"},"name":{"type":["string","null"]},"addresses":{"type":["array","null"],"items":{"type":"object","additionalProperties":false,"required":["address"],"properties":{"address":{"type":"string"},"gateway":{"type":["string","null"]}}}},"routes":{"$ref":"ipam-routes"},"dns":{"type":["object","null"],"additionalProperties":false,"properties":{"nameservers":{"type":["array","null"],"items":{"type":"string"}},"domain":{"type":["string","null"]},"search":{"type":["array","null"],"items":{"type":"string"}},"options":{"type":["array","null"],"items":{"type":"string"}}}}}};

function validate13(data, {instancePath="", parentData, parentDataProperty, rootData=data}={}){
let vErrors = null;
let errors = 0;
if(data && typeof data == "object" && !Array.isArray(data)){
for(const key0 in data){
if(!(((((key0 === "type") || (key0 === "name")) || (key0 === "addresses")) || (key0 === "routes")) || (key0 === "dns"))){
const err0 = {instancePath,schemaPath:"#/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key0},message:"must NOT have additional properties",schema:false,parentSchema:schema16,data};
if(vErrors === null){
vErrors = [err0];
}
else {
vErrors.push(err0);
}
errors++;
}
}
if(data.type !== undefined){
let data0 = data.type;
if(typeof data0 !== "string"){
const err1 = {instancePath:instancePath+"/type",schemaPath:"#/properties/type/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema16.properties.type.type,parentSchema:schema16.properties.type,data:data0};
if(vErrors === null){
vErrors = [err1];
}
else {
vErrors.push(err1);
}
errors++;
}
}
if(data.name !== undefined){
let data1 = data.name;
if((typeof data1 !== "string") && (data1 !== null)){
const err2 = {instancePath:instancePath+"/name",schemaPath:"#/properties/name/type",keyword:"type",params:{type: schema16.properties.name.type},message:"must be string,null",schema:schema16.properties.name.type,parentSchema:schema16.properties.name,data:data1};
if(vErrors === null){
vErrors = [err2];
}
else {
vErrors.push(err2);
}
errors++;
}
}
if(data.addresses !== undefined){
let data2 = data.addresses;
if((!(Array.isArray(data2))) && (data2 !== null)){
const err3 = {instancePath:instancePath+"/addresses",schemaPath:"#/properties/addresses/type",keyword:"type",params:{type: schema16.properties.addresses.type},message:"must be array,null",schema:schema16.properties.addresses.type,parentSchema:schema16.properties.addresses,data:data2};
if(vErrors === null){
vErrors = [err3];
}
else {
vErrors.push(err3);
}
errors++;
}
if(Array.isArray(data2)){
const len0 = data2.length;
for(let i0=0; i0<len0; i0++){
let data3 = data2[i0];
if(data3 && typeof data3 == "object" && !Array.isArray(data3)){
if(data3.address === undefined){
const err4 = {instancePath:instancePath+"/addresses/" + i0,schemaPath:"#/properties/addresses/items/required",keyword:"required",params:{missingProperty: "address"},message:"must have required property '"+"address"+"'",schema:schema16.properties.addresses.items.required,parentSchema:schema16.properties.addresses.items,data:data3};
if(vErrors === null){
vErrors = [err4];
}
else {
vErrors.push(err4);
}
errors++;
}
for(const key1 in data3){
if(!((key1 === "address") || (key1 === "gateway"))){
const err5 = {instancePath:instancePath+"/addresses/" + i0,schemaPath:"#/properties/addresses/items/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key1},message:"must NOT have additional properties",schema:false,parentSchema:schema16.properties.addresses.items,data:data3};
if(vErrors === null){
vErrors = [err5];
}
else {
vErrors.push(err5);
}
errors++;
}
}
if(data3.address !== undefined){
let data4 = data3.address;
if(typeof data4 !== "string"){
const err6 = {instancePath:instancePath+"/addresses/" + i0+"/address",schemaPath:"#/properties/addresses/items/properties/address/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema16.properties.addresses.items.properties.address.type,parentSchema:schema16.properties.addresses.items.properties.address,data:data4};
if(vErrors === null){
vErrors = [err6];
}
else {
vErrors.push(err6);
}
errors++;
}
}
if(data3.gateway !== undefined){
let data5 = data3.gateway;
if((typeof data5 !== "string") && (data5 !== null)){
const err7 = {instancePath:instancePath+"/addresses/" + i0+"/gateway",schemaPath:"#/properties/addresses/items/properties/gateway/type",keyword:"type",params:{type: schema16.properties.addresses.items.properties.gateway.type},message:"must be string,null",schema:schema16.properties.addresses.items.properties.gateway.type,parentSchema:schema16.properties.addresses.items.properties.gateway,data:data5};
if(vErrors === null){
vErrors = [err7];
}
else {
vErrors.push(err7);
}
errors++;
}
}
}
else {
const err8 = {instancePath:instancePath+"/addresses/" + i0,schemaPath:"#/properties/addresses/items/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema16.properties.addresses.items.type,parentSchema:schema16.properties.addresses.items,data:data3};
if(vErrors === null){
vErrors = [err8];
}
else {
vErrors.push(err8);
}
errors++;
}
}
}
}
if(data.routes !== undefined){
let data6 = data.routes;
if((!(Array.isArray(data6))) && (data6 !== null)){
const err9 = {instancePath:instancePath+"/routes",schemaPath:"ipam-routes/type",keyword:"type",params:{type: schema14.type},message:"must be array,null",schema:schema14.type,parentSchema:schema14,data:data6};
if(vErrors === null){
vErrors = [err9];
}
else {
vErrors.push(err9);
}
errors++;
}
if(Array.isArray(data6)){
const len1 = data6.length;
for(let i1=0; i1<len1; i1++){
let data7 = data6[i1];
if(data7 && typeof data7 == "object" && !Array.isArray(data7)){
if(data7.dst === undefined){
const err10 = {instancePath:instancePath+"/routes/" + i1,schemaPath:"ipam-routes/items/required",keyword:"required",params:{missingProperty: "dst"},message:"must have required property '"+"dst"+"'",schema:schema14.items.required,parentSchema:schema14.items,data:data7};
if(vErrors === null){
vErrors = [err10];
}
else {
vErrors.push(err10);
}
errors++;
}
for(const key2 in data7){
if(!(((((((key2 === "dst") || (key2 === "gw")) || (key2 === "mtu")) || (key2 === "advmss")) || (key2 === "priority")) || (key2 === "table")) || (key2 === "scope"))){
const err11 = {instancePath:instancePath+"/routes/" + i1,schemaPath:"ipam-routes/items/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key2},message:"must NOT have additional properties",schema:false,parentSchema:schema14.items,data:data7};
if(vErrors === null){
vErrors = [err11];
}
else {
vErrors.push(err11);
}
errors++;
}
}
if(data7.dst !== undefined){
let data8 = data7.dst;
if(typeof data8 !== "string"){
const err12 = {instancePath:instancePath+"/routes/" + i1+"/dst",schemaPath:"ipam-routes/items/properties/dst/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema14.items.properties.dst.type,parentSchema:schema14.items.properties.dst,data:data8};
if(vErrors === null){
vErrors = [err12];
}
else {
vErrors.push(err12);
}
errors++;
}
}
if(data7.gw !== undefined){
let data9 = data7.gw;
if((typeof data9 !== "string") && (data9 !== null)){
const err13 = {instancePath:instancePath+"/routes/" + i1+"/gw",schemaPath:"ipam-routes/items/properties/gw/type",keyword:"type",params:{type: schema14.items.properties.gw.type},message:"must be string,null",schema:schema14.items.properties.gw.type,parentSchema:schema14.items.properties.gw,data:data9};
if(vErrors === null){
vErrors = [err13];
}
else {
vErrors.push(err13);
}
errors++;
}
}
if(data7.mtu !== undefined){
let data10 = data7.mtu;
if((!(((typeof data10 == "number") && (!(data10 % 1) && !isNaN(data10))) && (isFinite(data10)))) && (data10 !== null)){
const err14 = {instancePath:instancePath+"/routes/" + i1+"/mtu",schemaPath:"ipam-routes/items/properties/mtu/type",keyword:"type",params:{type: schema14.items.properties.mtu.type},message:"must be integer,null",schema:schema14.items.properties.mtu.type,parentSchema:schema14.items.properties.mtu,data:data10};
if(vErrors === null){
vErrors = [err14];
}
else {
vErrors.push(err14);
}
errors++;
}
if((typeof data10 == "number") && (isFinite(data10))){
if(data10 > 65535 || isNaN(data10)){
const err15 = {instancePath:instancePath+"/routes/" + i1+"/mtu",schemaPath:"ipam-routes/items/properties/mtu/maximum",keyword:"maximum",params:{comparison: "<=", limit: 65535},message:"must be <= 65535",schema:65535,parentSchema:schema14.items.properties.mtu,data:data10};
if(vErrors === null){
vErrors = [err15];
}
else {
vErrors.push(err15);
}
errors++;
}
if(data10 < 0 || isNaN(data10)){
const err16 = {instancePath:instancePath+"/routes/" + i1+"/mtu",schemaPath:"ipam-routes/items/properties/mtu/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema14.items.properties.mtu,data:data10};
if(vErrors === null){
vErrors = [err16];
}
else {
vErrors.push(err16);
}
errors++;
}
}
}
if(data7.advmss !== undefined){
let data11 = data7.advmss;
if((!(((typeof data11 == "number") && (!(data11 % 1) && !isNaN(data11))) && (isFinite(data11)))) && (data11 !== null)){
const err17 = {instancePath:instancePath+"/routes/" + i1+"/advmss",schemaPath:"ipam-routes/items/properties/advmss/type",keyword:"type",params:{type: schema14.items.properties.advmss.type},message:"must be integer,null",schema:schema14.items.properties.advmss.type,parentSchema:schema14.items.properties.advmss,data:data11};
if(vErrors === null){
vErrors = [err17];
}
else {
vErrors.push(err17);
}
errors++;
}
if((typeof data11 == "number") && (isFinite(data11))){
if(data11 > 65535 || isNaN(data11)){
const err18 = {instancePath:instancePath+"/routes/" + i1+"/advmss",schemaPath:"ipam-routes/items/properties/advmss/maximum",keyword:"maximum",params:{comparison: "<=", limit: 65535},message:"must be <= 65535",schema:65535,parentSchema:schema14.items.properties.advmss,data:data11};
if(vErrors === null){
vErrors = [err18];
}
else {
vErrors.push(err18);
}
errors++;
}
if(data11 < 0 || isNaN(data11)){
const err19 = {instancePath:instancePath+"/routes/" + i1+"/advmss",schemaPath:"ipam-routes/items/properties/advmss/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema14.items.properties.advmss,data:data11};
if(vErrors === null){
vErrors = [err19];
}
else {
vErrors.push(err19);
}
errors++;
}
}
}
if(data7.priority !== undefined){
let data12 = data7.priority;
if((!(((typeof data12 == "number") && (!(data12 % 1) && !isNaN(data12))) && (isFinite(data12)))) && (data12 !== null)){
const err20 = {instancePath:instancePath+"/routes/" + i1+"/priority",schemaPath:"ipam-routes/items/properties/priority/type",keyword:"type",params:{type: schema14.items.properties.priority.type},message:"must be integer,null",schema:schema14.items.properties.priority.type,parentSchema:schema14.items.properties.priority,data:data12};
if(vErrors === null){
vErrors = [err20];
}
else {
vErrors.push(err20);
}
errors++;
}
if((typeof data12 == "number") && (isFinite(data12))){
if(data12 > 4294967295 || isNaN(data12)){
const err21 = {instancePath:instancePath+"/routes/" + i1+"/priority",schemaPath:"ipam-routes/items/properties/priority/maximum",keyword:"maximum",params:{comparison: "<=", limit: 4294967295},message:"must be <= 4294967295",schema:4294967295,parentSchema:schema14.items.properties.priority,data:data12};
if(vErrors === null){
vErrors = [err21];
}
else {
vErrors.push(err21);
}
errors++;
}
if(data12 < 0 || isNaN(data12)){
const err22 = {instancePath:instancePath+"/routes/" + i1+"/priority",schemaPath:"ipam-routes/items/properties/priority/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema14.items.properties.priority,data:data12};
if(vErrors === null){
vErrors = [err22];
}
else {
vErrors.push(err22);
}
errors++;
}
}
}
if(data7.table !== undefined){
let data13 = data7.table;
if((!(((typeof data13 == "number") && (!(data13 % 1) && !isNaN(data13))) && (isFinite(data13)))) && (data13 !== null)){
const err23 = {instancePath:instancePath+"/routes/" + i1+"/table",schemaPath:"ipam-routes/items/properties/table/type",keyword:"type",params:{type: schema14.items.properties.table.type},message:"must be integer,null",schema:schema14.items.properties.table.type,parentSchema:schema14.items.properties.table,data:data13};
if(vErrors === null){
vErrors = [err23];
}
else {
vErrors.push(err23);
}
errors++;
}
if((typeof data13 == "number") && (isFinite(data13))){
if(data13 > 4294967295 || isNaN(data13)){
const err24 = {instancePath:instancePath+"/routes/" + i1+"/table",schemaPath:"ipam-routes/items/properties/table/maximum",keyword:"maximum",params:{comparison: "<=", limit: 4294967295},message:"must be <= 4294967295",schema:4294967295,parentSchema:schema14.items.properties.table,data:data13};
if(vErrors === null){
vErrors = [err24];
}
else {
vErrors.push(err24);
}
errors++;
}
if(data13 < 0 || isNaN(data13)){
const err25 = {instancePath:instancePath+"/routes/" + i1+"/table",schemaPath:"ipam-routes/items/properties/table/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema14.items.properties.table,data:data13};
if(vErrors === null){
vErrors = [err25];
}
else {
vErrors.push(err25);
}
errors++;
}
}
}
if(data7.scope !== undefined){
let data14 = data7.scope;
if((!(((typeof data14 == "number") && (!(data14 % 1) && !isNaN(data14))) && (isFinite(data14)))) && (data14 !== null)){
const err26 = {instancePath:instancePath+"/routes/" + i1+"/scope",schemaPath:"ipam-routes/items/properties/scope/type",keyword:"type",params:{type: schema14.items.properties.scope.type},message:"must be integer,null",schema:schema14.items.properties.scope.type,parentSchema:schema14.items.properties.scope,data:data14};
if(vErrors === null){
vErrors = [err26];
}
else {
vErrors.push(err26);
}
errors++;
}
if((typeof data14 == "number") && (isFinite(data14))){
if(data14 > 255 || isNaN(data14)){
const err27 = {instancePath:instancePath+"/routes/" + i1+"/scope",schemaPath:"ipam-routes/items/properties/scope/maximum",keyword:"maximum",params:{comparison: "<=", limit: 255},message:"must be <= 255",schema:255,parentSchema:schema14.items.properties.scope,data:data14};
if(vErrors === null){
vErrors = [err27];
}
else {
vErrors.push(err27);
}
errors++;
}
if(data14 < 0 || isNaN(data14)){
const err28 = {instancePath:instancePath+"/routes/" + i1+"/scope",schemaPath:"ipam-routes/items/properties/scope/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema14.items.properties.scope,data:data14};
if(vErrors === null){
vErrors = [err28];
}
else {
vErrors.push(err28);
}
errors++;
}
}
}
}
else {
const err29 = {instancePath:instancePath+"/routes/" + i1,schemaPath:"ipam-routes/items/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema14.items.type,parentSchema:schema14.items,data:data7};
if(vErrors === null){
vErrors = [err29];
}
else {
vErrors.push(err29);
}
errors++;
}
}
}
}
if(data.dns !== undefined){
let data15 = data.dns;
if((!(data15 && typeof data15 == "object" && !Array.isArray(data15))) && (data15 !== null)){
const err30 = {instancePath:instancePath+"/dns",schemaPath:"#/properties/dns/type",keyword:"type",params:{type: schema16.properties.dns.type},message:"must be object,null",schema:schema16.properties.dns.type,parentSchema:schema16.properties.dns,data:data15};
if(vErrors === null){
vErrors = [err30];
}
else {
vErrors.push(err30);
}
errors++;
}
if(data15 && typeof data15 == "object" && !Array.isArray(data15)){
for(const key3 in data15){
if(!((((key3 === "nameservers") || (key3 === "domain")) || (key3 === "search")) || (key3 === "options"))){
const err31 = {instancePath:instancePath+"/dns",schemaPath:"#/properties/dns/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key3},message:"must NOT have additional properties",schema:false,parentSchema:schema16.properties.dns,data:data15};
if(vErrors === null){
vErrors = [err31];
}
else {
vErrors.push(err31);
}
errors++;
}
}
if(data15.nameservers !== undefined){
let data16 = data15.nameservers;
if((!(Array.isArray(data16))) && (data16 !== null)){
const err32 = {instancePath:instancePath+"/dns/nameservers",schemaPath:"#/properties/dns/properties/nameservers/type",keyword:"type",params:{type: schema16.properties.dns.properties.nameservers.type},message:"must be array,null",schema:schema16.properties.dns.properties.nameservers.type,parentSchema:schema16.properties.dns.properties.nameservers,data:data16};
if(vErrors === null){
vErrors = [err32];
}
else {
vErrors.push(err32);
}
errors++;
}
if(Array.isArray(data16)){
const len2 = data16.length;
for(let i2=0; i2<len2; i2++){
let data17 = data16[i2];
if(typeof data17 !== "string"){
const err33 = {instancePath:instancePath+"/dns/nameservers/" + i2,schemaPath:"#/properties/dns/properties/nameservers/items/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema16.properties.dns.properties.nameservers.items.type,parentSchema:schema16.properties.dns.properties.nameservers.items,data:data17};
if(vErrors === null){
vErrors = [err33];
}
else {
vErrors.push(err33);
}
errors++;
}
}
}
}
if(data15.domain !== undefined){
let data18 = data15.domain;
if((typeof data18 !== "string") && (data18 !== null)){
const err34 = {instancePath:instancePath+"/dns/domain",schemaPath:"#/properties/dns/properties/domain/type",keyword:"type",params:{type: schema16.properties.dns.properties.domain.type},message:"must be string,null",schema:schema16.properties.dns.properties.domain.type,parentSchema:schema16.properties.dns.properties.domain,data:data18};
if(vErrors === null){
vErrors = [err34];
}
else {
vErrors.push(err34);
}
errors++;
}
}
if(data15.search !== undefined){
let data19 = data15.search;
if((!(Array.isArray(data19))) && (data19 !== null)){
const err35 = {instancePath:instancePath+"/dns/search",schemaPath:"#/properties/dns/properties/search/type",keyword:"type",params:{type: schema16.properties.dns.properties.search.type},message:"must be array,null",schema:schema16.properties.dns.properties.search.type,parentSchema:schema16.properties.dns.properties.search,data:data19};
if(vErrors === null){
vErrors = [err35];
}
else {
vErrors.push(err35);
}
errors++;
}
if(Array.isArray(data19)){
const len3 = data19.length;
for(let i3=0; i3<len3; i3++){
let data20 = data19[i3];
if(typeof data20 !== "string"){
const err36 = {instancePath:instancePath+"/dns/search/" + i3,schemaPath:"#/properties/dns/properties/search/items/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema16.properties.dns.properties.search.items.type,parentSchema:schema16.properties.dns.properties.search.items,data:data20};
if(vErrors === null){
vErrors = [err36];
}
else {
vErrors.push(err36);
}
errors++;
}
}
}
}
if(data15.options !== undefined){
let data21 = data15.options;
if((!(Array.isArray(data21))) && (data21 !== null)){
const err37 = {instancePath:instancePath+"/dns/options",schemaPath:"#/properties/dns/properties/options/type",keyword:"type",params:{type: schema16.properties.dns.properties.options.type},message:"must be array,null",schema:schema16.properties.dns.properties.options.type,parentSchema:schema16.properties.dns.properties.options,data:data21};
if(vErrors === null){
vErrors = [err37];
}
else {
vErrors.push(err37);
}
errors++;
}
if(Array.isArray(data21)){
const len4 = data21.length;
for(let i4=0; i4<len4; i4++){
let data22 = data21[i4];
if(typeof data22 !== "string"){
const err38 = {instancePath:instancePath+"/dns/options/" + i4,schemaPath:"#/properties/dns/properties/options/items/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema16.properties.dns.properties.options.items.type,parentSchema:schema16.properties.dns.properties.options.items,data:data22};
if(vErrors === null){
vErrors = [err38];
}
else {
vErrors.push(err38);
}
errors++;
}
}
}
}
}
}
}
else {
const err39 = {instancePath,schemaPath:"#/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema16.type,parentSchema:schema16,data};
if(vErrors === null){
vErrors = [err39];
}
else {
vErrors.push(err39);
}
errors++;
}
validate13.errors = vErrors;
return errors === 0;
}

export const netconf = validate14;
const schema18 = {"$schema":"http://json-schema.org/draft-07/schema#","title":"Isthmus network configuration, as one element of a CNI list hands it to the plugin","type":"object","required":["name"],"additionalProperties":false,"patternProperties":{"^cni\\.dev/":true},"properties":{"$schema":{"type":"string"},"cniVersion":{"type":"string"},"cniVersions":{"type":"array","items":{"type":"string"}},"name":{"type":"string","description":"a name of letters, digits, _, . and -, that begins with a letter or digit","pattern":"^[A-Za-z0-9][A-Za-z0-9_.-]*$","maxLength":128},"type":{"type":"string"},"driver":{"enum":["bridge","host","null"]},"bridge":{"type":"string","description":"an interface name: 1 to 15 bytes without /, : and white space","pattern":"^[^/:\\s]{1,15}$","not":{"enum":[".",".."]}},"isGateway":{"type":"boolean"},"isDefaultGateway":{"type":"boolean"},"forceAddress":{"type":"boolean"},"ipMasq":{"type":"boolean"},"ipMasqBackend":{"type":["string","null"]},"firewall":{"type":["object","null"],"additionalProperties":false,"properties":{"backend":{"enum":["auto","nftables","iptables","none"]}}},"nonMasqueradeCIDRs":{"type":["array","null"],"items":{"type":"string"}},"trustedHostInterfaces":{"type":["array","null"],"items":{"type":"string"}},"outboundAddr4":{"type":"string"},"outboundAddr6":{"type":"string"},"ingressPolicy":{"enum":["","open","same-bridge","isolated"]},"internal":{"type":"boolean"},"exhaustedStatus":{"enum":["error","log"]},"icc":{"type":"boolean"},"snat":{"type":["boolean","null"]},"masqAll":{"type":"boolean"},"proxy6to4":{"type":"boolean"},"markMasqBit":{"type":["integer","null"],"minimum":0,"maximum":31},"externalSetMarkChain":{"type":["string","null"],"pattern":"^[A-Za-z0-9_.-]{0,28}$","description":"a chain's name: letters, digits, \"_\", \".\" and \"-\", at most 28"},"conditionsV4":{"type":["array","null"],"items":{"type":"string"}},"conditionsV6":{"type":["array","null"],"items":{"type":"string"}},"backend":{"type":["string","null"]},"ingressRate":{"type":["integer","null"],"minimum":0},"ingressBurst":{"type":["integer","null"],"minimum":0},"egressRate":{"type":["integer","null"],"minimum":0},"egressBurst":{"type":["integer","null"],"minimum":0},"mtu":{"type":"integer","minimum":0,"maximum":65535},"hairpinMode":{"type":"boolean"},"promiscMode":{"type":"boolean"},"vlan":{"type":"integer","minimum":0,"maximum":4094},"vlanTrunk":{"type":"array","items":{"type":"object","additionalProperties":false,"properties":{"id":{"type":"integer","minimum":1,"maximum":4094},"minID":{"type":"integer","minimum":1,"maximum":4094},"maxID":{"type":"integer","minimum":1,"maximum":4094}}}},"preserveDefaultVlan":{"type":"boolean"},"macspoofchk":{"type":"boolean"},"spoofGuard":{"enum":[true,false,"on","off"]},"enabledad":{"type":"boolean"},"disableContainerInterface":{"type":"boolean"},"portIsolation":{"type":"boolean"},"dns":{"type":"object","additionalProperties":false,"properties":{"nameservers":{"type":["array","null"],"items":{"type":"string"}},"domain":{"type":"string"},"search":{"type":["array","null"],"items":{"type":"string"}},"options":{"type":["array","null"],"items":{"type":"string"}}}},"ipam":{"type":["object","null"],"properties":{"type":{"type":"string","description":"the bare name of a plugin","pattern":"^[^/\\s]*$"}}},"capabilities":{"type":["object","null"],"additionalProperties":{"type":"boolean"}},"args":{"type":["object","null"]},"runtimeConfig":{"type":["object","null"]},"prevResult":{"type":["object","null"]},"disableCheck":{"type":["boolean","string"]},"disableGC":{"type":["boolean","string"]},"loadOnlyInlinedPlugins":{"type":["boolean","string"]}}};
const func4 = func4Module.default;
const pattern0 = new RegExp("^cni\\.dev/", "u");
const pattern1 = new RegExp("^[A-Za-z0-9][A-Za-z0-9_.-]*$", "u");
const pattern2 = new RegExp("^[^/:\\s]{1,15}$", "u");
const pattern3 = new RegExp("^[A-Za-z0-9_.-]{0,28}$", "u");
const pattern4 = new RegExp("^[^/\\s]*$", "u");

function validate14(data, {instancePath="", parentData, parentDataProperty, rootData=data}={}){
let vErrors = null;
let errors = 0;
if(data && typeof data == "object" && !Array.isArray(data)){
if(data.name === undefined){
const err0 = {instancePath,schemaPath:"#/required",keyword:"required",params:{missingProperty: "name"},message:"must have required property '"+"name"+"'",schema:schema18.required,parentSchema:schema18,data};
if(vErrors === null){
vErrors = [err0];
}
else {
vErrors.push(err0);
}
errors++;
}
for(const key0 in data){
if(!((func2.call(schema18.properties, key0)) || (pattern0.test(key0)))){
const err1 = {instancePath,schemaPath:"#/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key0},message:"must NOT have additional properties",schema:false,parentSchema:schema18,data};
if(vErrors === null){
vErrors = [err1];
}
else {
vErrors.push(err1);
}
errors++;
}
}
if(data.$schema !== undefined){
let data0 = data.$schema;
if(typeof data0 !== "string"){
const err2 = {instancePath:instancePath+"/$schema",schemaPath:"#/properties/%24schema/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema18.properties.$schema.type,parentSchema:schema18.properties.$schema,data:data0};
if(vErrors === null){
vErrors = [err2];
}
else {
vErrors.push(err2);
}
errors++;
}
}
if(data.cniVersion !== undefined){
let data1 = data.cniVersion;
if(typeof data1 !== "string"){
const err3 = {instancePath:instancePath+"/cniVersion",schemaPath:"#/properties/cniVersion/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema18.properties.cniVersion.type,parentSchema:schema18.properties.cniVersion,data:data1};
if(vErrors === null){
vErrors = [err3];
}
else {
vErrors.push(err3);
}
errors++;
}
}
if(data.cniVersions !== undefined){
let data2 = data.cniVersions;
if(Array.isArray(data2)){
const len0 = data2.length;
for(let i0=0; i0<len0; i0++){
let data3 = data2[i0];
if(typeof data3 !== "string"){
const err4 = {instancePath:instancePath+"/cniVersions/" + i0,schemaPath:"#/properties/cniVersions/items/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema18.properties.cniVersions.items.type,parentSchema:schema18.properties.cniVersions.items,data:data3};
if(vErrors === null){
vErrors = [err4];
}
else {
vErrors.push(err4);
}
errors++;
}
}
}
else {
const err5 = {instancePath:instancePath+"/cniVersions",schemaPath:"#/properties/cniVersions/type",keyword:"type",params:{type: "array"},message:"must be array",schema:schema18.properties.cniVersions.type,parentSchema:schema18.properties.cniVersions,data:data2};
if(vErrors === null){
vErrors = [err5];
}
else {
vErrors.push(err5);
}
errors++;
}
}
if(data.name !== undefined){
let data4 = data.name;
if(typeof data4 === "string"){
if(func4(data4) > 128){
const err6 = {instancePath:instancePath+"/name",schemaPath:"#/properties/name/maxLength",keyword:"maxLength",params:{limit: 128},message:"must NOT have more than 128 characters",schema:128,parentSchema:schema18.properties.name,data:data4};
if(vErrors === null){
vErrors = [err6];
}
else {
vErrors.push(err6);
}
errors++;
}
if(!pattern1.test(data4)){
const err7 = {instancePath:instancePath+"/name",schemaPath:"#/properties/name/pattern",keyword:"pattern",params:{pattern: "^[A-Za-z0-9][A-Za-z0-9_.-]*$"},message:"must match pattern \""+"^[A-Za-z0-9][A-Za-z0-9_.-]*$"+"\"",schema:"^[A-Za-z0-9][A-Za-z0-9_.-]*$",parentSchema:schema18.properties.name,data:data4};
if(vErrors === null){
vErrors = [err7];
}
else {
vErrors.push(err7);
}
errors++;
}
}
else {
const err8 = {instancePath:instancePath+"/name",schemaPath:"#/properties/name/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema18.properties.name.type,parentSchema:schema18.properties.name,data:data4};
if(vErrors === null){
vErrors = [err8];
}
else {
vErrors.push(err8);
}
errors++;
}
}
if(data.type !== undefined){
let data5 = data.type;
if(typeof data5 !== "string"){
const err9 = {instancePath:instancePath+"/type",schemaPath:"#/properties/type/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema18.properties.type.type,parentSchema:schema18.properties.type,data:data5};
if(vErrors === null){
vErrors = [err9];
}
else {
vErrors.push(err9);
}
errors++;
}
}
if(data.driver !== undefined){
let data6 = data.driver;
if(!(((data6 === "bridge") || (data6 === "host")) || (data6 === "null"))){
const err10 = {instancePath:instancePath+"/driver",schemaPath:"#/properties/driver/enum",keyword:"enum",params:{allowedValues: schema18.properties.driver.enum},message:"must be equal to one of the allowed values",schema:schema18.properties.driver.enum,parentSchema:schema18.properties.driver,data:data6};
if(vErrors === null){
vErrors = [err10];
}
else {
vErrors.push(err10);
}
errors++;
}
}
if(data.bridge !== undefined){
let data7 = data.bridge;
const _errs17 = errors;
const _errs18 = errors;
if(!((data7 === ".") || (data7 === ".."))){
const err11 = {};
if(vErrors === null){
vErrors = [err11];
}
else {
vErrors.push(err11);
}
errors++;
}
var valid3 = _errs18 === errors;
if(valid3){
const err12 = {instancePath:instancePath+"/bridge",schemaPath:"#/properties/bridge/not",keyword:"not",params:{},message:"must NOT be valid",schema:schema18.properties.bridge.not,parentSchema:schema18.properties.bridge,data:data7};
if(vErrors === null){
vErrors = [err12];
}
else {
vErrors.push(err12);
}
errors++;
}
else {
errors = _errs17;
if(vErrors !== null){
if(_errs17){
vErrors.length = _errs17;
}
else {
vErrors = null;
}
}
}
if(typeof data7 === "string"){
if(!pattern2.test(data7)){
const err13 = {instancePath:instancePath+"/bridge",schemaPath:"#/properties/bridge/pattern",keyword:"pattern",params:{pattern: "^[^/:\\s]{1,15}$"},message:"must match pattern \""+"^[^/:\\s]{1,15}$"+"\"",schema:"^[^/:\\s]{1,15}$",parentSchema:schema18.properties.bridge,data:data7};
if(vErrors === null){
vErrors = [err13];
}
else {
vErrors.push(err13);
}
errors++;
}
}
else {
const err14 = {instancePath:instancePath+"/bridge",schemaPath:"#/properties/bridge/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema18.properties.bridge.type,parentSchema:schema18.properties.bridge,data:data7};
if(vErrors === null){
vErrors = [err14];
}
else {
vErrors.push(err14);
}
errors++;
}
}
if(data.isGateway !== undefined){
let data8 = data.isGateway;
if(typeof data8 !== "boolean"){
const err15 = {instancePath:instancePath+"/isGateway",schemaPath:"#/properties/isGateway/type",keyword:"type",params:{type: "boolean"},message:"must be boolean",schema:schema18.properties.isGateway.type,parentSchema:schema18.properties.isGateway,data:data8};
if(vErrors === null){
vErrors = [err15];
}
else {
vErrors.push(err15);
}
errors++;
}
}
if(data.isDefaultGateway !== undefined){
let data9 = data.isDefaultGateway;
if(typeof data9 !== "boolean"){
const err16 = {instancePath:instancePath+"/isDefaultGateway",schemaPath:"#/properties/isDefaultGateway/type",keyword:"type",params:{type: "boolean"},message:"must be boolean",schema:schema18.properties.isDefaultGateway.type,parentSchema:schema18.properties.isDefaultGateway,data:data9};
if(vErrors === null){
vErrors = [err16];
}
else {
vErrors.push(err16);
}
errors++;
}
}
if(data.forceAddress !== undefined){
let data10 = data.forceAddress;
if(typeof data10 !== "boolean"){
const err17 = {instancePath:instancePath+"/forceAddress",schemaPath:"#/properties/forceAddress/type",keyword:"type",params:{type: "boolean"},message:"must be boolean",schema:schema18.properties.forceAddress.type,parentSchema:schema18.properties.forceAddress,data:data10};
if(vErrors === null){
vErrors = [err17];
}
else {
vErrors.push(err17);
}
errors++;
}
}
if(data.ipMasq !== undefined){
let data11 = data.ipMasq;
if(typeof data11 !== "boolean"){
const err18 = {instancePath:instancePath+"/ipMasq",schemaPath:"#/properties/ipMasq/type",keyword:"type",params:{type: "boolean"},message:"must be boolean",schema:schema18.properties.ipMasq.type,parentSchema:schema18.properties.ipMasq,data:data11};
if(vErrors === null){
vErrors = [err18];
}
else {
vErrors.push(err18);
}
errors++;
}
}
if(data.ipMasqBackend !== undefined){
let data12 = data.ipMasqBackend;
if((typeof data12 !== "string") && (data12 !== null)){
const err19 = {instancePath:instancePath+"/ipMasqBackend",schemaPath:"#/properties/ipMasqBackend/type",keyword:"type",params:{type: schema18.properties.ipMasqBackend.type},message:"must be string,null",schema:schema18.properties.ipMasqBackend.type,parentSchema:schema18.properties.ipMasqBackend,data:data12};
if(vErrors === null){
vErrors = [err19];
}
else {
vErrors.push(err19);
}
errors++;
}
}
if(data.firewall !== undefined){
let data13 = data.firewall;
if((!(data13 && typeof data13 == "object" && !Array.isArray(data13))) && (data13 !== null)){
const err20 = {instancePath:instancePath+"/firewall",schemaPath:"#/properties/firewall/type",keyword:"type",params:{type: schema18.properties.firewall.type},message:"must be object,null",schema:schema18.properties.firewall.type,parentSchema:schema18.properties.firewall,data:data13};
if(vErrors === null){
vErrors = [err20];
}
else {
vErrors.push(err20);
}
errors++;
}
if(data13 && typeof data13 == "object" && !Array.isArray(data13)){
for(const key1 in data13){
if(!(key1 === "backend")){
const err21 = {instancePath:instancePath+"/firewall",schemaPath:"#/properties/firewall/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key1},message:"must NOT have additional properties",schema:false,parentSchema:schema18.properties.firewall,data:data13};
if(vErrors === null){
vErrors = [err21];
}
else {
vErrors.push(err21);
}
errors++;
}
}
if(data13.backend !== undefined){
let data14 = data13.backend;
if(!((((data14 === "auto") || (data14 === "nftables")) || (data14 === "iptables")) || (data14 === "none"))){
const err22 = {instancePath:instancePath+"/firewall/backend",schemaPath:"#/properties/firewall/properties/backend/enum",keyword:"enum",params:{allowedValues: schema18.properties.firewall.properties.backend.enum},message:"must be equal to one of the allowed values",schema:schema18.properties.firewall.properties.backend.enum,parentSchema:schema18.properties.firewall.properties.backend,data:data14};
if(vErrors === null){
vErrors = [err22];
}
else {
vErrors.push(err22);
}
errors++;
}
}
}
}
if(data.nonMasqueradeCIDRs !== undefined){
let data15 = data.nonMasqueradeCIDRs;
if((!(Array.isArray(data15))) && (data15 !== null)){
const err23 = {instancePath:instancePath+"/nonMasqueradeCIDRs",schemaPath:"#/properties/nonMasqueradeCIDRs/type",keyword:"type",params:{type: schema18.properties.nonMasqueradeCIDRs.type},message:"must be array,null",schema:schema18.properties.nonMasqueradeCIDRs.type,parentSchema:schema18.properties.nonMasqueradeCIDRs,data:data15};
if(vErrors === null){
vErrors = [err23];
}
else {
vErrors.push(err23);
}
errors++;
}
if(Array.isArray(data15)){
const len1 = data15.length;
for(let i1=0; i1<len1; i1++){
let data16 = data15[i1];
if(typeof data16 !== "string"){
const err24 = {instancePath:instancePath+"/nonMasqueradeCIDRs/" + i1,schemaPath:"#/properties/nonMasqueradeCIDRs/items/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema18.properties.nonMasqueradeCIDRs.items.type,parentSchema:schema18.properties.nonMasqueradeCIDRs.items,data:data16};
if(vErrors === null){
vErrors = [err24];
}
else {
vErrors.push(err24);
}
errors++;
}
}
}
}
if(data.trustedHostInterfaces !== undefined){
let data17 = data.trustedHostInterfaces;
if((!(Array.isArray(data17))) && (data17 !== null)){
const err25 = {instancePath:instancePath+"/trustedHostInterfaces",schemaPath:"#/properties/trustedHostInterfaces/type",keyword:"type",params:{type: schema18.properties.trustedHostInterfaces.type},message:"must be array,null",schema:schema18.properties.trustedHostInterfaces.type,parentSchema:schema18.properties.trustedHostInterfaces,data:data17};
if(vErrors === null){
vErrors = [err25];
}
else {
vErrors.push(err25);
}
errors++;
}
if(Array.isArray(data17)){
const len2 = data17.length;
for(let i2=0; i2<len2; i2++){
let data18 = data17[i2];
if(typeof data18 !== "string"){
const err26 = {instancePath:instancePath+"/trustedHostInterfaces/" + i2,schemaPath:"#/properties/trustedHostInterfaces/items/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema18.properties.trustedHostInterfaces.items.type,parentSchema:schema18.properties.trustedHostInterfaces.items,data:data18};
if(vErrors === null){
vErrors = [err26];
}
else {
vErrors.push(err26);
}
errors++;
}
}
}
}
if(data.outboundAddr4 !== undefined){
let data19 = data.outboundAddr4;
if(typeof data19 !== "string"){
const err27 = {instancePath:instancePath+"/outboundAddr4",schemaPath:"#/properties/outboundAddr4/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema18.properties.outboundAddr4.type,parentSchema:schema18.properties.outboundAddr4,data:data19};
if(vErrors === null){
vErrors = [err27];
}
else {
vErrors.push(err27);
}
errors++;
}
}
if(data.outboundAddr6 !== undefined){
let data20 = data.outboundAddr6;
if(typeof data20 !== "string"){
const err28 = {instancePath:instancePath+"/outboundAddr6",schemaPath:"#/properties/outboundAddr6/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema18.properties.outboundAddr6.type,parentSchema:schema18.properties.outboundAddr6,data:data20};
if(vErrors === null){
vErrors = [err28];
}
else {
vErrors.push(err28);
}
errors++;
}
}
if(data.ingressPolicy !== undefined){
let data21 = data.ingressPolicy;
if(!((((data21 === "") || (data21 === "open")) || (data21 === "same-bridge")) || (data21 === "isolated"))){
const err29 = {instancePath:instancePath+"/ingressPolicy",schemaPath:"#/properties/ingressPolicy/enum",keyword:"enum",params:{allowedValues: schema18.properties.ingressPolicy.enum},message:"must be equal to one of the allowed values",schema:schema18.properties.ingressPolicy.enum,parentSchema:schema18.properties.ingressPolicy,data:data21};
if(vErrors === null){
vErrors = [err29];
}
else {
vErrors.push(err29);
}
errors++;
}
}
if(data.internal !== undefined){
let data22 = data.internal;
if(typeof data22 !== "boolean"){
const err30 = {instancePath:instancePath+"/internal",schemaPath:"#/properties/internal/type",keyword:"type",params:{type: "boolean"},message:"must be boolean",schema:schema18.properties.internal.type,parentSchema:schema18.properties.internal,data:data22};
if(vErrors === null){
vErrors = [err30];
}
else {
vErrors.push(err30);
}
errors++;
}
}
if(data.exhaustedStatus !== undefined){
let data23 = data.exhaustedStatus;
if(!((data23 === "error") || (data23 === "log"))){
const err31 = {instancePath:instancePath+"/exhaustedStatus",schemaPath:"#/properties/exhaustedStatus/enum",keyword:"enum",params:{allowedValues: schema18.properties.exhaustedStatus.enum},message:"must be equal to one of the allowed values",schema:schema18.properties.exhaustedStatus.enum,parentSchema:schema18.properties.exhaustedStatus,data:data23};
if(vErrors === null){
vErrors = [err31];
}
else {
vErrors.push(err31);
}
errors++;
}
}
if(data.icc !== undefined){
let data24 = data.icc;
if(typeof data24 !== "boolean"){
const err32 = {instancePath:instancePath+"/icc",schemaPath:"#/properties/icc/type",keyword:"type",params:{type: "boolean"},message:"must be boolean",schema:schema18.properties.icc.type,parentSchema:schema18.properties.icc,data:data24};
if(vErrors === null){
vErrors = [err32];
}
else {
vErrors.push(err32);
}
errors++;
}
}
if(data.snat !== undefined){
let data25 = data.snat;
if((typeof data25 !== "boolean") && (data25 !== null)){
const err33 = {instancePath:instancePath+"/snat",schemaPath:"#/properties/snat/type",keyword:"type",params:{type: schema18.properties.snat.type},message:"must be boolean,null",schema:schema18.properties.snat.type,parentSchema:schema18.properties.snat,data:data25};
if(vErrors === null){
vErrors = [err33];
}
else {
vErrors.push(err33);
}
errors++;
}
}
if(data.masqAll !== undefined){
let data26 = data.masqAll;
if(typeof data26 !== "boolean"){
const err34 = {instancePath:instancePath+"/masqAll",schemaPath:"#/properties/masqAll/type",keyword:"type",params:{type: "boolean"},message:"must be boolean",schema:schema18.properties.masqAll.type,parentSchema:schema18.properties.masqAll,data:data26};
if(vErrors === null){
vErrors = [err34];
}
else {
vErrors.push(err34);
}
errors++;
}
}
if(data.proxy6to4 !== undefined){
let data27 = data.proxy6to4;
if(typeof data27 !== "boolean"){
const err35 = {instancePath:instancePath+"/proxy6to4",schemaPath:"#/properties/proxy6to4/type",keyword:"type",params:{type: "boolean"},message:"must be boolean",schema:schema18.properties.proxy6to4.type,parentSchema:schema18.properties.proxy6to4,data:data27};
if(vErrors === null){
vErrors = [err35];
}
else {
vErrors.push(err35);
}
errors++;
}
}
if(data.markMasqBit !== undefined){
let data28 = data.markMasqBit;
if((!(((typeof data28 == "number") && (!(data28 % 1) && !isNaN(data28))) && (isFinite(data28)))) && (data28 !== null)){
const err36 = {instancePath:instancePath+"/markMasqBit",schemaPath:"#/properties/markMasqBit/type",keyword:"type",params:{type: schema18.properties.markMasqBit.type},message:"must be integer,null",schema:schema18.properties.markMasqBit.type,parentSchema:schema18.properties.markMasqBit,data:data28};
if(vErrors === null){
vErrors = [err36];
}
else {
vErrors.push(err36);
}
errors++;
}
if((typeof data28 == "number") && (isFinite(data28))){
if(data28 > 31 || isNaN(data28)){
const err37 = {instancePath:instancePath+"/markMasqBit",schemaPath:"#/properties/markMasqBit/maximum",keyword:"maximum",params:{comparison: "<=", limit: 31},message:"must be <= 31",schema:31,parentSchema:schema18.properties.markMasqBit,data:data28};
if(vErrors === null){
vErrors = [err37];
}
else {
vErrors.push(err37);
}
errors++;
}
if(data28 < 0 || isNaN(data28)){
const err38 = {instancePath:instancePath+"/markMasqBit",schemaPath:"#/properties/markMasqBit/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema18.properties.markMasqBit,data:data28};
if(vErrors === null){
vErrors = [err38];
}
else {
vErrors.push(err38);
}
errors++;
}
}
}
if(data.externalSetMarkChain !== undefined){
let data29 = data.externalSetMarkChain;
if((typeof data29 !== "string") && (data29 !== null)){
const err39 = {instancePath:instancePath+"/externalSetMarkChain",schemaPath:"#/properties/externalSetMarkChain/type",keyword:"type",params:{type: schema18.properties.externalSetMarkChain.type},message:"must be string,null",schema:schema18.properties.externalSetMarkChain.type,parentSchema:schema18.properties.externalSetMarkChain,data:data29};
if(vErrors === null){
vErrors = [err39];
}
else {
vErrors.push(err39);
}
errors++;
}
if(typeof data29 === "string"){
if(!pattern3.test(data29)){
const err40 = {instancePath:instancePath+"/externalSetMarkChain",schemaPath:"#/properties/externalSetMarkChain/pattern",keyword:"pattern",params:{pattern: "^[A-Za-z0-9_.-]{0,28}$"},message:"must match pattern \""+"^[A-Za-z0-9_.-]{0,28}$"+"\"",schema:"^[A-Za-z0-9_.-]{0,28}$",parentSchema:schema18.properties.externalSetMarkChain,data:data29};
if(vErrors === null){
vErrors = [err40];
}
else {
vErrors.push(err40);
}
errors++;
}
}
}
if(data.conditionsV4 !== undefined){
let data30 = data.conditionsV4;
if((!(Array.isArray(data30))) && (data30 !== null)){
const err41 = {instancePath:instancePath+"/conditionsV4",schemaPath:"#/properties/conditionsV4/type",keyword:"type",params:{type: schema18.properties.conditionsV4.type},message:"must be array,null",schema:schema18.properties.conditionsV4.type,parentSchema:schema18.properties.conditionsV4,data:data30};
if(vErrors === null){
vErrors = [err41];
}
else {
vErrors.push(err41);
}
errors++;
}
if(Array.isArray(data30)){
const len3 = data30.length;
for(let i3=0; i3<len3; i3++){
let data31 = data30[i3];
if(typeof data31 !== "string"){
const err42 = {instancePath:instancePath+"/conditionsV4/" + i3,schemaPath:"#/properties/conditionsV4/items/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema18.properties.conditionsV4.items.type,parentSchema:schema18.properties.conditionsV4.items,data:data31};
if(vErrors === null){
vErrors = [err42];
}
else {
vErrors.push(err42);
}
errors++;
}
}
}
}
if(data.conditionsV6 !== undefined){
let data32 = data.conditionsV6;
if((!(Array.isArray(data32))) && (data32 !== null)){
const err43 = {instancePath:instancePath+"/conditionsV6",schemaPath:"#/properties/conditionsV6/type",keyword:"type",params:{type: schema18.properties.conditionsV6.type},message:"must be array,null",schema:schema18.properties.conditionsV6.type,parentSchema:schema18.properties.conditionsV6,data:data32};
if(vErrors === null){
vErrors = [err43];
}
else {
vErrors.push(err43);
}
errors++;
}
if(Array.isArray(data32)){
const len4 = data32.length;
for(let i4=0; i4<len4; i4++){
let data33 = data32[i4];
if(typeof data33 !== "string"){
const err44 = {instancePath:instancePath+"/conditionsV6/" + i4,schemaPath:"#/properties/conditionsV6/items/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema18.properties.conditionsV6.items.type,parentSchema:schema18.properties.conditionsV6.items,data:data33};
if(vErrors === null){
vErrors = [err44];
}
else {
vErrors.push(err44);
}
errors++;
}
}
}
}
if(data.backend !== undefined){
let data34 = data.backend;
if((typeof data34 !== "string") && (data34 !== null)){
const err45 = {instancePath:instancePath+"/backend",schemaPath:"#/properties/backend/type",keyword:"type",params:{type: schema18.properties.backend.type},message:"must be string,null",schema:schema18.properties.backend.type,parentSchema:schema18.properties.backend,data:data34};
if(vErrors === null){
vErrors = [err45];
}
else {
vErrors.push(err45);
}
errors++;
}
}
if(data.ingressRate !== undefined){
let data35 = data.ingressRate;
if((!(((typeof data35 == "number") && (!(data35 % 1) && !isNaN(data35))) && (isFinite(data35)))) && (data35 !== null)){
const err46 = {instancePath:instancePath+"/ingressRate",schemaPath:"#/properties/ingressRate/type",keyword:"type",params:{type: schema18.properties.ingressRate.type},message:"must be integer,null",schema:schema18.properties.ingressRate.type,parentSchema:schema18.properties.ingressRate,data:data35};
if(vErrors === null){
vErrors = [err46];
}
else {
vErrors.push(err46);
}
errors++;
}
if((typeof data35 == "number") && (isFinite(data35))){
if(data35 < 0 || isNaN(data35)){
const err47 = {instancePath:instancePath+"/ingressRate",schemaPath:"#/properties/ingressRate/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema18.properties.ingressRate,data:data35};
if(vErrors === null){
vErrors = [err47];
}
else {
vErrors.push(err47);
}
errors++;
}
}
}
if(data.ingressBurst !== undefined){
let data36 = data.ingressBurst;
if((!(((typeof data36 == "number") && (!(data36 % 1) && !isNaN(data36))) && (isFinite(data36)))) && (data36 !== null)){
const err48 = {instancePath:instancePath+"/ingressBurst",schemaPath:"#/properties/ingressBurst/type",keyword:"type",params:{type: schema18.properties.ingressBurst.type},message:"must be integer,null",schema:schema18.properties.ingressBurst.type,parentSchema:schema18.properties.ingressBurst,data:data36};
if(vErrors === null){
vErrors = [err48];
}
else {
vErrors.push(err48);
}
errors++;
}
if((typeof data36 == "number") && (isFinite(data36))){
if(data36 < 0 || isNaN(data36)){
const err49 = {instancePath:instancePath+"/ingressBurst",schemaPath:"#/properties/ingressBurst/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema18.properties.ingressBurst,data:data36};
if(vErrors === null){
vErrors = [err49];
}
else {
vErrors.push(err49);
}
errors++;
}
}
}
if(data.egressRate !== undefined){
let data37 = data.egressRate;
if((!(((typeof data37 == "number") && (!(data37 % 1) && !isNaN(data37))) && (isFinite(data37)))) && (data37 !== null)){
const err50 = {instancePath:instancePath+"/egressRate",schemaPath:"#/properties/egressRate/type",keyword:"type",params:{type: schema18.properties.egressRate.type},message:"must be integer,null",schema:schema18.properties.egressRate.type,parentSchema:schema18.properties.egressRate,data:data37};
if(vErrors === null){
vErrors = [err50];
}
else {
vErrors.push(err50);
}
errors++;
}
if((typeof data37 == "number") && (isFinite(data37))){
if(data37 < 0 || isNaN(data37)){
const err51 = {instancePath:instancePath+"/egressRate",schemaPath:"#/properties/egressRate/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema18.properties.egressRate,data:data37};
if(vErrors === null){
vErrors = [err51];
}
else {
vErrors.push(err51);
}
errors++;
}
}
}
if(data.egressBurst !== undefined){
let data38 = data.egressBurst;
if((!(((typeof data38 == "number") && (!(data38 % 1) && !isNaN(data38))) && (isFinite(data38)))) && (data38 !== null)){
const err52 = {instancePath:instancePath+"/egressBurst",schemaPath:"#/properties/egressBurst/type",keyword:"type",params:{type: schema18.properties.egressBurst.type},message:"must be integer,null",schema:schema18.properties.egressBurst.type,parentSchema:schema18.properties.egressBurst,data:data38};
if(vErrors === null){
vErrors = [err52];
}
else {
vErrors.push(err52);
}
errors++;
}
if((typeof data38 == "number") && (isFinite(data38))){
if(data38 < 0 || isNaN(data38)){
const err53 = {instancePath:instancePath+"/egressBurst",schemaPath:"#/properties/egressBurst/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema18.properties.egressBurst,data:data38};
if(vErrors === null){
vErrors = [err53];
}
else {
vErrors.push(err53);
}
errors++;
}
}
}
if(data.mtu !== undefined){
let data39 = data.mtu;
if(!(((typeof data39 == "number") && (!(data39 % 1) && !isNaN(data39))) && (isFinite(data39)))){
const err54 = {instancePath:instancePath+"/mtu",schemaPath:"#/properties/mtu/type",keyword:"type",params:{type: "integer"},message:"must be integer",schema:schema18.properties.mtu.type,parentSchema:schema18.properties.mtu,data:data39};
if(vErrors === null){
vErrors = [err54];
}
else {
vErrors.push(err54);
}
errors++;
}
if((typeof data39 == "number") && (isFinite(data39))){
if(data39 > 65535 || isNaN(data39)){
const err55 = {instancePath:instancePath+"/mtu",schemaPath:"#/properties/mtu/maximum",keyword:"maximum",params:{comparison: "<=", limit: 65535},message:"must be <= 65535",schema:65535,parentSchema:schema18.properties.mtu,data:data39};
if(vErrors === null){
vErrors = [err55];
}
else {
vErrors.push(err55);
}
errors++;
}
if(data39 < 0 || isNaN(data39)){
const err56 = {instancePath:instancePath+"/mtu",schemaPath:"#/properties/mtu/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema18.properties.mtu,data:data39};
if(vErrors === null){
vErrors = [err56];
}
else {
vErrors.push(err56);
}
errors++;
}
}
}
if(data.hairpinMode !== undefined){
let data40 = data.hairpinMode;
if(typeof data40 !== "boolean"){
const err57 = {instancePath:instancePath+"/hairpinMode",schemaPath:"#/properties/hairpinMode/type",keyword:"type",params:{type: "boolean"},message:"must be boolean",schema:schema18.properties.hairpinMode.type,parentSchema:schema18.properties.hairpinMode,data:data40};
if(vErrors === null){
vErrors = [err57];
}
else {
vErrors.push(err57);
}
errors++;
}
}
if(data.promiscMode !== undefined){
let data41 = data.promiscMode;
if(typeof data41 !== "boolean"){
const err58 = {instancePath:instancePath+"/promiscMode",schemaPath:"#/properties/promiscMode/type",keyword:"type",params:{type: "boolean"},message:"must be boolean",schema:schema18.properties.promiscMode.type,parentSchema:schema18.properties.promiscMode,data:data41};
if(vErrors === null){
vErrors = [err58];
}
else {
vErrors.push(err58);
}
errors++;
}
}
if(data.vlan !== undefined){
let data42 = data.vlan;
if(!(((typeof data42 == "number") && (!(data42 % 1) && !isNaN(data42))) && (isFinite(data42)))){
const err59 = {instancePath:instancePath+"/vlan",schemaPath:"#/properties/vlan/type",keyword:"type",params:{type: "integer"},message:"must be integer",schema:schema18.properties.vlan.type,parentSchema:schema18.properties.vlan,data:data42};
if(vErrors === null){
vErrors = [err59];
}
else {
vErrors.push(err59);
}
errors++;
}
if((typeof data42 == "number") && (isFinite(data42))){
if(data42 > 4094 || isNaN(data42)){
const err60 = {instancePath:instancePath+"/vlan",schemaPath:"#/properties/vlan/maximum",keyword:"maximum",params:{comparison: "<=", limit: 4094},message:"must be <= 4094",schema:4094,parentSchema:schema18.properties.vlan,data:data42};
if(vErrors === null){
vErrors = [err60];
}
else {
vErrors.push(err60);
}
errors++;
}
if(data42 < 0 || isNaN(data42)){
const err61 = {instancePath:instancePath+"/vlan",schemaPath:"#/properties/vlan/minimum",keyword:"minimum",params:{comparison: ">=", limit: 0},message:"must be >= 0",schema:0,parentSchema:schema18.properties.vlan,data:data42};
if(vErrors === null){
vErrors = [err61];
}
else {
vErrors.push(err61);
}
errors++;
}
}
}
if(data.vlanTrunk !== undefined){
let data43 = data.vlanTrunk;
if(Array.isArray(data43)){
const len5 = data43.length;
for(let i5=0; i5<len5; i5++){
let data44 = data43[i5];
if(data44 && typeof data44 == "object" && !Array.isArray(data44)){
for(const key2 in data44){
if(!(((key2 === "id") || (key2 === "minID")) || (key2 === "maxID"))){
const err62 = {instancePath:instancePath+"/vlanTrunk/" + i5,schemaPath:"#/properties/vlanTrunk/items/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key2},message:"must NOT have additional properties",schema:false,parentSchema:schema18.properties.vlanTrunk.items,data:data44};
if(vErrors === null){
vErrors = [err62];
}
else {
vErrors.push(err62);
}
errors++;
}
}
if(data44.id !== undefined){
let data45 = data44.id;
if(!(((typeof data45 == "number") && (!(data45 % 1) && !isNaN(data45))) && (isFinite(data45)))){
const err63 = {instancePath:instancePath+"/vlanTrunk/" + i5+"/id",schemaPath:"#/properties/vlanTrunk/items/properties/id/type",keyword:"type",params:{type: "integer"},message:"must be integer",schema:schema18.properties.vlanTrunk.items.properties.id.type,parentSchema:schema18.properties.vlanTrunk.items.properties.id,data:data45};
if(vErrors === null){
vErrors = [err63];
}
else {
vErrors.push(err63);
}
errors++;
}
if((typeof data45 == "number") && (isFinite(data45))){
if(data45 > 4094 || isNaN(data45)){
const err64 = {instancePath:instancePath+"/vlanTrunk/" + i5+"/id",schemaPath:"#/properties/vlanTrunk/items/properties/id/maximum",keyword:"maximum",params:{comparison: "<=", limit: 4094},message:"must be <= 4094",schema:4094,parentSchema:schema18.properties.vlanTrunk.items.properties.id,data:data45};
if(vErrors === null){
vErrors = [err64];
}
else {
vErrors.push(err64);
}
errors++;
}
if(data45 < 1 || isNaN(data45)){
const err65 = {instancePath:instancePath+"/vlanTrunk/" + i5+"/id",schemaPath:"#/properties/vlanTrunk/items/properties/id/minimum",keyword:"minimum",params:{comparison: ">=", limit: 1},message:"must be >= 1",schema:1,parentSchema:schema18.properties.vlanTrunk.items.properties.id,data:data45};
if(vErrors === null){
vErrors = [err65];
}
else {
vErrors.push(err65);
}
errors++;
}
}
}
if(data44.minID !== undefined){
let data46 = data44.minID;
if(!(((typeof data46 == "number") && (!(data46 % 1) && !isNaN(data46))) && (isFinite(data46)))){
const err66 = {instancePath:instancePath+"/vlanTrunk/" + i5+"/minID",schemaPath:"#/properties/vlanTrunk/items/properties/minID/type",keyword:"type",params:{type: "integer"},message:"must be integer",schema:schema18.properties.vlanTrunk.items.properties.minID.type,parentSchema:schema18.properties.vlanTrunk.items.properties.minID,data:data46};
if(vErrors === null){
vErrors = [err66];
}
else {
vErrors.push(err66);
}
errors++;
}
if((typeof data46 == "number") && (isFinite(data46))){
if(data46 > 4094 || isNaN(data46)){
const err67 = {instancePath:instancePath+"/vlanTrunk/" + i5+"/minID",schemaPath:"#/properties/vlanTrunk/items/properties/minID/maximum",keyword:"maximum",params:{comparison: "<=", limit: 4094},message:"must be <= 4094",schema:4094,parentSchema:schema18.properties.vlanTrunk.items.properties.minID,data:data46};
if(vErrors === null){
vErrors = [err67];
}
else {
vErrors.push(err67);
}
errors++;
}
if(data46 < 1 || isNaN(data46)){
const err68 = {instancePath:instancePath+"/vlanTrunk/" + i5+"/minID",schemaPath:"#/properties/vlanTrunk/items/properties/minID/minimum",keyword:"minimum",params:{comparison: ">=", limit: 1},message:"must be >= 1",schema:1,parentSchema:schema18.properties.vlanTrunk.items.properties.minID,data:data46};
if(vErrors === null){
vErrors = [err68];
}
else {
vErrors.push(err68);
}
errors++;
}
}
}
if(data44.maxID !== undefined){
let data47 = data44.maxID;
if(!(((typeof data47 == "number") && (!(data47 % 1) && !isNaN(data47))) && (isFinite(data47)))){
const err69 = {instancePath:instancePath+"/vlanTrunk/" + i5+"/maxID",schemaPath:"#/properties/vlanTrunk/items/properties/maxID/type",keyword:"type",params:{type: "integer"},message:"must be integer",schema:schema18.properties.vlanTrunk.items.properties.maxID.type,parentSchema:schema18.properties.vlanTrunk.items.properties.maxID,data:data47};
if(vErrors === null){
vErrors = [err69];
}
else {
vErrors.push(err69);
}
errors++;
}
if((typeof data47 == "number") && (isFinite(data47))){
if(data47 > 4094 || isNaN(data47)){
const err70 = {instancePath:instancePath+"/vlanTrunk/" + i5+"/maxID",schemaPath:"#/properties/vlanTrunk/items/properties/maxID/maximum",keyword:"maximum",params:{comparison: "<=", limit: 4094},message:"must be <= 4094",schema:4094,parentSchema:schema18.properties.vlanTrunk.items.properties.maxID,data:data47};
if(vErrors === null){
vErrors = [err70];
}
else {
vErrors.push(err70);
}
errors++;
}
if(data47 < 1 || isNaN(data47)){
const err71 = {instancePath:instancePath+"/vlanTrunk/" + i5+"/maxID",schemaPath:"#/properties/vlanTrunk/items/properties/maxID/minimum",keyword:"minimum",params:{comparison: ">=", limit: 1},message:"must be >= 1",schema:1,parentSchema:schema18.properties.vlanTrunk.items.properties.maxID,data:data47};
if(vErrors === null){
vErrors = [err71];
}
else {
vErrors.push(err71);
}
errors++;
}
}
}
}
else {
const err72 = {instancePath:instancePath+"/vlanTrunk/" + i5,schemaPath:"#/properties/vlanTrunk/items/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema18.properties.vlanTrunk.items.type,parentSchema:schema18.properties.vlanTrunk.items,data:data44};
if(vErrors === null){
vErrors = [err72];
}
else {
vErrors.push(err72);
}
errors++;
}
}
}
else {
const err73 = {instancePath:instancePath+"/vlanTrunk",schemaPath:"#/properties/vlanTrunk/type",keyword:"type",params:{type: "array"},message:"must be array",schema:schema18.properties.vlanTrunk.type,parentSchema:schema18.properties.vlanTrunk,data:data43};
if(vErrors === null){
vErrors = [err73];
}
else {
vErrors.push(err73);
}
errors++;
}
}
if(data.preserveDefaultVlan !== undefined){
let data48 = data.preserveDefaultVlan;
if(typeof data48 !== "boolean"){
const err74 = {instancePath:instancePath+"/preserveDefaultVlan",schemaPath:"#/properties/preserveDefaultVlan/type",keyword:"type",params:{type: "boolean"},message:"must be boolean",schema:schema18.properties.preserveDefaultVlan.type,parentSchema:schema18.properties.preserveDefaultVlan,data:data48};
if(vErrors === null){
vErrors = [err74];
}
else {
vErrors.push(err74);
}
errors++;
}
}
if(data.macspoofchk !== undefined){
let data49 = data.macspoofchk;
if(typeof data49 !== "boolean"){
const err75 = {instancePath:instancePath+"/macspoofchk",schemaPath:"#/properties/macspoofchk/type",keyword:"type",params:{type: "boolean"},message:"must be boolean",schema:schema18.properties.macspoofchk.type,parentSchema:schema18.properties.macspoofchk,data:data49};
if(vErrors === null){
vErrors = [err75];
}
else {
vErrors.push(err75);
}
errors++;
}
}
if(data.spoofGuard !== undefined){
let data50 = data.spoofGuard;
if(!((((data50 === true) || (data50 === false)) || (data50 === "on")) || (data50 === "off"))){
const err76 = {instancePath:instancePath+"/spoofGuard",schemaPath:"#/properties/spoofGuard/enum",keyword:"enum",params:{allowedValues: schema18.properties.spoofGuard.enum},message:"must be equal to one of the allowed values",schema:schema18.properties.spoofGuard.enum,parentSchema:schema18.properties.spoofGuard,data:data50};
if(vErrors === null){
vErrors = [err76];
}
else {
vErrors.push(err76);
}
errors++;
}
}
if(data.enabledad !== undefined){
let data51 = data.enabledad;
if(typeof data51 !== "boolean"){
const err77 = {instancePath:instancePath+"/enabledad",schemaPath:"#/properties/enabledad/type",keyword:"type",params:{type: "boolean"},message:"must be boolean",schema:schema18.properties.enabledad.type,parentSchema:schema18.properties.enabledad,data:data51};
if(vErrors === null){
vErrors = [err77];
}
else {
vErrors.push(err77);
}
errors++;
}
}
if(data.disableContainerInterface !== undefined){
let data52 = data.disableContainerInterface;
if(typeof data52 !== "boolean"){
const err78 = {instancePath:instancePath+"/disableContainerInterface",schemaPath:"#/properties/disableContainerInterface/type",keyword:"type",params:{type: "boolean"},message:"must be boolean",schema:schema18.properties.disableContainerInterface.type,parentSchema:schema18.properties.disableContainerInterface,data:data52};
if(vErrors === null){
vErrors = [err78];
}
else {
vErrors.push(err78);
}
errors++;
}
}
if(data.portIsolation !== undefined){
let data53 = data.portIsolation;
if(typeof data53 !== "boolean"){
const err79 = {instancePath:instancePath+"/portIsolation",schemaPath:"#/properties/portIsolation/type",keyword:"type",params:{type: "boolean"},message:"must be boolean",schema:schema18.properties.portIsolation.type,parentSchema:schema18.properties.portIsolation,data:data53};
if(vErrors === null){
vErrors = [err79];
}
else {
vErrors.push(err79);
}
errors++;
}
}
if(data.dns !== undefined){
let data54 = data.dns;
if(data54 && typeof data54 == "object" && !Array.isArray(data54)){
for(const key3 in data54){
if(!((((key3 === "nameservers") || (key3 === "domain")) || (key3 === "search")) || (key3 === "options"))){
const err80 = {instancePath:instancePath+"/dns",schemaPath:"#/properties/dns/additionalProperties",keyword:"additionalProperties",params:{additionalProperty: key3},message:"must NOT have additional properties",schema:false,parentSchema:schema18.properties.dns,data:data54};
if(vErrors === null){
vErrors = [err80];
}
else {
vErrors.push(err80);
}
errors++;
}
}
if(data54.nameservers !== undefined){
let data55 = data54.nameservers;
if((!(Array.isArray(data55))) && (data55 !== null)){
const err81 = {instancePath:instancePath+"/dns/nameservers",schemaPath:"#/properties/dns/properties/nameservers/type",keyword:"type",params:{type: schema18.properties.dns.properties.nameservers.type},message:"must be array,null",schema:schema18.properties.dns.properties.nameservers.type,parentSchema:schema18.properties.dns.properties.nameservers,data:data55};
if(vErrors === null){
vErrors = [err81];
}
else {
vErrors.push(err81);
}
errors++;
}
if(Array.isArray(data55)){
const len6 = data55.length;
for(let i6=0; i6<len6; i6++){
let data56 = data55[i6];
if(typeof data56 !== "string"){
const err82 = {instancePath:instancePath+"/dns/nameservers/" + i6,schemaPath:"#/properties/dns/properties/nameservers/items/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema18.properties.dns.properties.nameservers.items.type,parentSchema:schema18.properties.dns.properties.nameservers.items,data:data56};
if(vErrors === null){
vErrors = [err82];
}
else {
vErrors.push(err82);
}
errors++;
}
}
}
}
if(data54.domain !== undefined){
let data57 = data54.domain;
if(typeof data57 !== "string"){
const err83 = {instancePath:instancePath+"/dns/domain",schemaPath:"#/properties/dns/properties/domain/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema18.properties.dns.properties.domain.type,parentSchema:schema18.properties.dns.properties.domain,data:data57};
if(vErrors === null){
vErrors = [err83];
}
else {
vErrors.push(err83);
}
errors++;
}
}
if(data54.search !== undefined){
let data58 = data54.search;
if((!(Array.isArray(data58))) && (data58 !== null)){
const err84 = {instancePath:instancePath+"/dns/search",schemaPath:"#/properties/dns/properties/search/type",keyword:"type",params:{type: schema18.properties.dns.properties.search.type},message:"must be array,null",schema:schema18.properties.dns.properties.search.type,parentSchema:schema18.properties.dns.properties.search,data:data58};
if(vErrors === null){
vErrors = [err84];
}
else {
vErrors.push(err84);
}
errors++;
}
if(Array.isArray(data58)){
const len7 = data58.length;
for(let i7=0; i7<len7; i7++){
let data59 = data58[i7];
if(typeof data59 !== "string"){
const err85 = {instancePath:instancePath+"/dns/search/" + i7,schemaPath:"#/properties/dns/properties/search/items/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema18.properties.dns.properties.search.items.type,parentSchema:schema18.properties.dns.properties.search.items,data:data59};
if(vErrors === null){
vErrors = [err85];
}
else {
vErrors.push(err85);
}
errors++;
}
}
}
}
if(data54.options !== undefined){
let data60 = data54.options;
if((!(Array.isArray(data60))) && (data60 !== null)){
const err86 = {instancePath:instancePath+"/dns/options",schemaPath:"#/properties/dns/properties/options/type",keyword:"type",params:{type: schema18.properties.dns.properties.options.type},message:"must be array,null",schema:schema18.properties.dns.properties.options.type,parentSchema:schema18.properties.dns.properties.options,data:data60};
if(vErrors === null){
vErrors = [err86];
}
else {
vErrors.push(err86);
}
errors++;
}
if(Array.isArray(data60)){
const len8 = data60.length;
for(let i8=0; i8<len8; i8++){
let data61 = data60[i8];
if(typeof data61 !== "string"){
const err87 = {instancePath:instancePath+"/dns/options/" + i8,schemaPath:"#/properties/dns/properties/options/items/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema18.properties.dns.properties.options.items.type,parentSchema:schema18.properties.dns.properties.options.items,data:data61};
if(vErrors === null){
vErrors = [err87];
}
else {
vErrors.push(err87);
}
errors++;
}
}
}
}
}
else {
const err88 = {instancePath:instancePath+"/dns",schemaPath:"#/properties/dns/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema18.properties.dns.type,parentSchema:schema18.properties.dns,data:data54};
if(vErrors === null){
vErrors = [err88];
}
else {
vErrors.push(err88);
}
errors++;
}
}
if(data.ipam !== undefined){
let data62 = data.ipam;
if((!(data62 && typeof data62 == "object" && !Array.isArray(data62))) && (data62 !== null)){
const err89 = {instancePath:instancePath+"/ipam",schemaPath:"#/properties/ipam/type",keyword:"type",params:{type: schema18.properties.ipam.type},message:"must be object,null",schema:schema18.properties.ipam.type,parentSchema:schema18.properties.ipam,data:data62};
if(vErrors === null){
vErrors = [err89];
}
else {
vErrors.push(err89);
}
errors++;
}
if(data62 && typeof data62 == "object" && !Array.isArray(data62)){
if(data62.type !== undefined){
let data63 = data62.type;
if(typeof data63 === "string"){
if(!pattern4.test(data63)){
const err90 = {instancePath:instancePath+"/ipam/type",schemaPath:"#/properties/ipam/properties/type/pattern",keyword:"pattern",params:{pattern: "^[^/\\s]*$"},message:"must match pattern \""+"^[^/\\s]*$"+"\"",schema:"^[^/\\s]*$",parentSchema:schema18.properties.ipam.properties.type,data:data63};
if(vErrors === null){
vErrors = [err90];
}
else {
vErrors.push(err90);
}
errors++;
}
}
else {
const err91 = {instancePath:instancePath+"/ipam/type",schemaPath:"#/properties/ipam/properties/type/type",keyword:"type",params:{type: "string"},message:"must be string",schema:schema18.properties.ipam.properties.type.type,parentSchema:schema18.properties.ipam.properties.type,data:data63};
if(vErrors === null){
vErrors = [err91];
}
else {
vErrors.push(err91);
}
errors++;
}
}
}
}
if(data.capabilities !== undefined){
let data64 = data.capabilities;
if((!(data64 && typeof data64 == "object" && !Array.isArray(data64))) && (data64 !== null)){
const err92 = {instancePath:instancePath+"/capabilities",schemaPath:"#/properties/capabilities/type",keyword:"type",params:{type: schema18.properties.capabilities.type},message:"must be object,null",schema:schema18.properties.capabilities.type,parentSchema:schema18.properties.capabilities,data:data64};
if(vErrors === null){
vErrors = [err92];
}
else {
vErrors.push(err92);
}
errors++;
}
if(data64 && typeof data64 == "object" && !Array.isArray(data64)){
for(const key4 in data64){
let data65 = data64[key4];
if(typeof data65 !== "boolean"){
const err93 = {instancePath:instancePath+"/capabilities/" + key4.replace(/~/g, "~0").replace(/\//g, "~1"),schemaPath:"#/properties/capabilities/additionalProperties/type",keyword:"type",params:{type: "boolean"},message:"must be boolean",schema:schema18.properties.capabilities.additionalProperties.type,parentSchema:schema18.properties.capabilities.additionalProperties,data:data65};
if(vErrors === null){
vErrors = [err93];
}
else {
vErrors.push(err93);
}
errors++;
}
}
}
}
if(data.args !== undefined){
let data66 = data.args;
if((!(data66 && typeof data66 == "object" && !Array.isArray(data66))) && (data66 !== null)){
const err94 = {instancePath:instancePath+"/args",schemaPath:"#/properties/args/type",keyword:"type",params:{type: schema18.properties.args.type},message:"must be object,null",schema:schema18.properties.args.type,parentSchema:schema18.properties.args,data:data66};
if(vErrors === null){
vErrors = [err94];
}
else {
vErrors.push(err94);
}
errors++;
}
}
if(data.runtimeConfig !== undefined){
let data67 = data.runtimeConfig;
if((!(data67 && typeof data67 == "object" && !Array.isArray(data67))) && (data67 !== null)){
const err95 = {instancePath:instancePath+"/runtimeConfig",schemaPath:"#/properties/runtimeConfig/type",keyword:"type",params:{type: schema18.properties.runtimeConfig.type},message:"must be object,null",schema:schema18.properties.runtimeConfig.type,parentSchema:schema18.properties.runtimeConfig,data:data67};
if(vErrors === null){
vErrors = [err95];
}
else {
vErrors.push(err95);
}
errors++;
}
}
if(data.prevResult !== undefined){
let data68 = data.prevResult;
if((!(data68 && typeof data68 == "object" && !Array.isArray(data68))) && (data68 !== null)){
const err96 = {instancePath:instancePath+"/prevResult",schemaPath:"#/properties/prevResult/type",keyword:"type",params:{type: schema18.properties.prevResult.type},message:"must be object,null",schema:schema18.properties.prevResult.type,parentSchema:schema18.properties.prevResult,data:data68};
if(vErrors === null){
vErrors = [err96];
}
else {
vErrors.push(err96);
}
errors++;
}
}
if(data.disableCheck !== undefined){
let data69 = data.disableCheck;
if((typeof data69 !== "boolean") && (typeof data69 !== "string")){
const err97 = {instancePath:instancePath+"/disableCheck",schemaPath:"#/properties/disableCheck/type",keyword:"type",params:{type: schema18.properties.disableCheck.type},message:"must be boolean,string",schema:schema18.properties.disableCheck.type,parentSchema:schema18.properties.disableCheck,data:data69};
if(vErrors === null){
vErrors = [err97];
}
else {
vErrors.push(err97);
}
errors++;
}
}
if(data.disableGC !== undefined){
let data70 = data.disableGC;
if((typeof data70 !== "boolean") && (typeof data70 !== "string")){
const err98 = {instancePath:instancePath+"/disableGC",schemaPath:"#/properties/disableGC/type",keyword:"type",params:{type: schema18.properties.disableGC.type},message:"must be boolean,string",schema:schema18.properties.disableGC.type,parentSchema:schema18.properties.disableGC,data:data70};
if(vErrors === null){
vErrors = [err98];
}
else {
vErrors.push(err98);
}
errors++;
}
}
if(data.loadOnlyInlinedPlugins !== undefined){
let data71 = data.loadOnlyInlinedPlugins;
if((typeof data71 !== "boolean") && (typeof data71 !== "string")){
const err99 = {instancePath:instancePath+"/loadOnlyInlinedPlugins",schemaPath:"#/properties/loadOnlyInlinedPlugins/type",keyword:"type",params:{type: schema18.properties.loadOnlyInlinedPlugins.type},message:"must be boolean,string",schema:schema18.properties.loadOnlyInlinedPlugins.type,parentSchema:schema18.properties.loadOnlyInlinedPlugins,data:data71};
if(vErrors === null){
vErrors = [err99];
}
else {
vErrors.push(err99);
}
errors++;
}
}
}
else {
const err100 = {instancePath,schemaPath:"#/type",keyword:"type",params:{type: "object"},message:"must be object",schema:schema18.type,parentSchema:schema18,data};
if(vErrors === null){
vErrors = [err100];
}
else {
vErrors.push(err100);
}
errors++;
}
validate14.errors = vErrors;
return errors === 0;
}

